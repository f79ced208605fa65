"""What the runner answers about itself: the state of its cell's queue for alarms, and whether it can work now."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa
import uvicorn
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from starlette.applications import Starlette

from errors import FreeholdError
from fleet.queue_view import QueueView
from services.health import NotReady, database_answers, routes
from services.logs import logger

_log = logger(__name__)

SILENT_SECONDS = 120.0
"""A loop that has not come round for so long is stuck."""

_STATES = ("queued", "running", "retrying", "failed")


class Health:
    """Of one runner. `opened` and `beat` are called by whoever runs it, the rest by the server's threads."""

    def __init__(self, cell: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._cell, self._clock = cell, clock
        self._beaten = clock()
        self._engine: sa.Engine | None = None
        self.metrics = CollectorRegistry()
        self.metrics.register(self)

    def opened(self, engine: sa.Engine | None) -> None:
        """The cell's database; None while there is none."""
        self._engine = engine

    def beat(self) -> None:
        self._beaten = self._clock()

    def check(self) -> None:
        """Raises NotReady where no operation would be taken now."""
        silent = self._clock() - self._beaten
        if silent > SILENT_SECONDS:
            raise NotReady(f"no sign of life for {silent:.0f} s")
        if (engine := self._engine) is None:
            raise NotReady("the cell is not open: its platform or its database does not answer")
        database_answers(engine)()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """For Prometheus. Where the database does not answer there are no figures, rather than old ones or zeros."""
        count = GaugeMetricFamily(
            "freehold_operations",
            "Operations of the cell by state; retrying are those of the queued that failed, failed are tenants whose "
            "last operation was given up.",
            labels=("cell", "state"),
        )
        oldest = GaugeMetricFamily(
            "freehold_operations_oldest_seconds",
            "Since the oldest operation in that state was asked for; 0 where there is none.",
            labels=("cell", "state"),
        )
        answers = GaugeMetricFamily("freehold_runner_queue_up", "Whether the queue could be read.", labels=("cell",))
        engine = self._engine  # once: the cell may close meanwhile
        try:
            backlog = QueueView(engine).backlog(self._cell) if engine is not None else None
        except sa.exc.SQLAlchemyError as error:
            _log.warning("database-does-not-answer", error=str(error).splitlines()[0])
            backlog = None
        answers.add_metric([self._cell], float(backlog is not None))
        if backlog is not None:
            for state in _STATES:
                count.add_metric([self._cell, state], getattr(backlog, state))
            oldest.add_metric([self._cell, "queued"], backlog.oldest_queued_seconds)
            oldest.add_metric([self._cell, "running"], backlog.oldest_running_seconds)
        yield from (count, oldest, answers)

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Without it, registering would ask the queue."""
        return iter(())


@contextmanager
def served(health: Health, host: str, port: int) -> Iterator[int]:
    """/healthz, /readyz and /metrics within; the port, which is any free one where 0 is asked for.

    Raises FreeholdError where another listens there.
    """
    try:
        listening = socket.create_server((host, port))
    except OSError as error:
        # Since Python 3.11 the address stands behind the reason.
        reason = str(error.strerror).partition(" (")[0]
        raise FreeholdError(
            f"it cannot listen there: {reason}", where=f"runner, {host}:{port}", mend="choose another --port"
        ) from None
    application = Starlette(routes=routes(health.check, health.metrics))
    server = uvicorn.Server(uvicorn.Config(application, log_config=None, access_log=False, lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listening],), name="health", daemon=True)
    thread.start()
    try:
        yield int(listening.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
