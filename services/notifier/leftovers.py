"""Deliveries to sinks that the settings name no more: nobody would send them, so they end, and are told of."""

from __future__ import annotations

import json
import threading
from collections.abc import Collection
from datetime import timedelta

import sqlalchemy as sa

from services import logs
from services.notifier import alerts, workers
from services.notifier.metrics import Metrics
from services.notifier.queues import Queues

AFTER = timedelta(hours=1)
"""A replica with other settings, before or after this one, sends what is due at once: what stays due is nobody's."""
_LOOK_SECONDS = 60.0

_log = logs.logger(__name__)


class Leftovers:
    def __init__(
        self,
        sinks: Collection[str],
        engine: sa.Engine,
        queues: Queues,
        metrics: Metrics,
        *,
        look_seconds: float = _LOOK_SECONDS,
    ) -> None:
        """`sinks` are those of the settings."""
        self._sinks, self._engine, self._queues, self._metrics = sorted(sinks), engine, queues, metrics
        self._look = look_seconds

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set."""
        while not stop.is_set():
            workers.went_well(lambda: self._work_off(stop), _log, "leftovers-not-ended")
            stop.wait(self._look)

    def _work_off(self, stop: threading.Event) -> None:
        while not stop.is_set() and self.once():
            pass

    def once(self) -> bool:
        """End one of them; whether there was one. Raises QueueUnavailable."""
        with self._engine.begin() as connection:
            taken = alerts.left_over(connection, self._sinks, AFTER)
            if taken is None:
                return False
            reason = f"{alerts.NO_SINK} {taken.sink}"
            with logs.correlated(taken.alert.correlation_id):
                _log.error("dead", sink=taken.sink, alert=str(taken.alert.id), reason=reason)
            # First: killed after it, the alert lies there twice rather than nowhere.
            self._queues.bury(json.dumps(taken.alert.model_dump(mode="json")), reason, sink=taken.sink)
            alerts.give_up(connection, taken, reason)
        self._metrics.deliveries.labels(taken.sink, "dead").inc()
        return True
