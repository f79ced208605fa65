"""From the database to one sink. Each sink has a worker of its own: one that hangs holds up nobody else."""

from __future__ import annotations

import json
import random
import threading
import uuid
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from services import logs
from services.notifier import alerts, workers
from services.notifier.alerts import Taken
from services.notifier.metrics import Metrics
from services.notifier.queues import Queues
from services.notifier.sinks import Sink, SinkFailed, SinkRefused

_PAUSE_SECONDS = 5.0
_LOOK_SECONDS = 2.0
"""How often the table is asked when nobody says that there is something."""
_REMEMBERED = 1000
"""Alerts of one sink whose end is not recorded: far more than budgets raise while a queue or the database is away."""

_log = logs.logger(__name__)


@dataclass(frozen=True)
class Retries:
    """How often and how soon a delivery is tried again: the defaults give up after three quarters of an hour."""

    attempts: int = 10
    first_seconds: float = 5.0
    longest_seconds: float = 3600.0

    def delay(self, attempt: int) -> float:
        """Seconds until the attempt after `attempt`: doubled each time, and spread, so that replicas do not march."""
        return min(self.longest_seconds, self.first_seconds * 2.0 ** (attempt - 1)) * random.uniform(0.75, 1.25)


class Dispatcher:
    """Sends what is due to one sink."""

    def __init__(
        self, sink: Sink, engine: sa.Engine, queues: Queues, metrics: Metrics, retries: Retries, lease: timedelta
    ) -> None:
        """`lease` is longer than the sink's time limit."""
        self._sink, self._engine, self._queues, self._metrics = sink, engine, queues, metrics
        self._retries, self._lease = retries, lease
        self._wake = threading.Event()
        # Why each is given up that could not be buried yet: without this its lease would run out, and it would be sent
        # again, to those who have it too. Not in the table, which may be what fails: a restart costs one repetition.
        self._lost: dict[uuid.UUID, str] = {}
        # What the sink has and the table could not be told, likewise.
        self._handed_over: dict[uuid.UUID, None] = {}

    def wake(self) -> None:
        """There may be something to send."""
        self._wake.set()

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set and `wake` called; the delivery under way is finished."""
        log = _log.bind(sink=self._sink.name)
        while not stop.is_set():
            if not workers.went_well(lambda: self._work_off(stop), log, "cannot-dispatch"):
                stop.wait(_PAUSE_SECONDS)
            self._wake.wait(_LOOK_SECONDS)
            self._wake.clear()

    def _work_off(self, stop: threading.Event) -> None:
        while not stop.is_set() and self.once():
            pass

    def once(self) -> bool:
        """Send one alert that is due; whether there was one."""
        with self._engine.begin() as connection:
            taken = alerts.take(connection, self._sink.name, self._lease)
        if taken is None:
            return False
        with logs.correlated(taken.alert.correlation_id):
            outcome = self._send(taken)
        self._metrics.deliveries.labels(self._sink.name, outcome).inc()
        return True

    def _send(self, taken: Taken) -> str:
        log = _log.bind(sink=self._sink.name, alert=str(taken.alert.id), attempt=taken.attempt)
        if (reason := self._lost.get(taken.alert.id)) is not None:
            return self._give_up(taken, reason, log)
        if taken.alert.id not in self._handed_over:
            try:
                self._sink.send(taken.alert)
            except SinkFailed as error:
                return self._failed(taken, error, log)
            except Exception as error:  # it is counted like any other failure, or it would be tried for ever
                name = type(error).__name__
                log.error("defect", error=name, origin=logs.origin(error))
                return self._failed(taken, SinkFailed(f"a defect: {name}"), log)
            self._handed_over[taken.alert.id] = None
            if len(self._handed_over) > _REMEMBERED:
                del self._handed_over[next(iter(self._handed_over))]  # the oldest
        with self._engine.begin() as connection:
            alerts.sent(connection, taken)
        self._handed_over.pop(taken.alert.id, None)
        log.info("sent")
        return "sent"

    def _failed(self, taken: Taken, error: SinkFailed, log: logs.Logger) -> str:
        if isinstance(error, SinkRefused) or taken.attempt >= self._retries.attempts:
            return self._give_up(taken, str(error), log)
        delay = max(error.retry_after or 0.0, self._retries.delay(taken.attempt))
        log.warning("postponed", reason=str(error), delay_seconds=round(delay, 1))
        with self._engine.begin() as connection:
            alerts.postpone(connection, taken, str(error), timedelta(seconds=delay))
        return "postponed"

    def _give_up(self, taken: Taken, reason: str, log: logs.Logger) -> str:
        """The dead-letter queue first: killed between the two, the alert lies there twice rather than nowhere."""
        log.error("dead", reason=reason)
        self._lost[taken.alert.id] = reason
        if len(self._lost) > _REMEMBERED:
            del self._lost[next(iter(self._lost))]  # the oldest
        self._queues.bury(json.dumps(taken.alert.model_dump(mode="json")), reason, sink=self._sink.name)
        with self._engine.begin() as connection:
            alerts.give_up(connection, taken, reason)
        self._lost.pop(taken.alert.id, None)
        return "dead"
