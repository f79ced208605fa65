"""Claims operations and has them done, several side by side, until it is told to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import sqlalchemy as sa

from errors import FreeholdError, TransientError
from fleet import registry
from fleet.backoff import Backoff
from fleet.interrupts import Interrupted
from fleet.operations import Kind
from fleet.queue import LeaseLost, Queue, Record
from fleet.runner.running import Done, Run, Work
from services.logs import correlated, logger

_log = logger(__name__)

_WRITES = 20
_WRITE_PAUSE_SECONDS = 1.0


class Superseded(FreeholdError):
    """There is nothing to be done any more."""


@dataclass(frozen=True)
class Pace:
    """How much at once, and how often. In seconds."""

    concurrency: int = 4
    lease: float = 30.0
    """After the death of a runner, its work waits so long."""
    heartbeat: float = 3.0
    poll: float = 1.0
    drain: float = 5.0
    """What runs gets to end by itself after a stop."""
    grace: float = 6.0
    """What an engine then gets to end the steps in hand."""
    longest: float = 3600.0
    """What one operation may take; then it is stopped as above and tried again. A tenant takes minutes, and one that
    hangs would have its place for ever."""
    backoff: Backoff = field(default_factory=Backoff)


class Runner:
    """One runner of a cell; there may be several. `holder` tells it from every other, and from itself in a life before.

    `beat` is called while it lives, at least each `pace.poll` seconds or as long as the database lets it wait.
    """

    def __init__(
        self,
        queue: Queue,
        work: Work,
        *,
        cell: str,
        holder: str,
        pace: Pace | None = None,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._queue, self._work = queue, work
        self._cell, self._holder = cell, holder
        self._pace = pace or Pace()
        self._beat = beat
        self._stopping = False
        self._ended = threading.Event()
        self._running: set[Run] = set()

    def stop(self) -> None:
        """Claim nothing more, and end. From a signal handler too: it takes no lock."""
        self._stopping = True

    def run(self) -> None:
        """Returns when it was told to stop and nothing runs any more; raises what the database says when it takes no
        claims for longer than a lease."""
        answered = time.monotonic()
        with ThreadPoolExecutor(self._pace.concurrency) as pool:
            while not self._stopping:
                self._beat()
                self._ended.clear()
                if len(self._running) < self._pace.concurrency:
                    try:
                        claimed = self._claim(pool)
                        answered = time.monotonic()
                    # Whatever it says: one that can only be read, or of another schema by now, takes no claims either.
                    except sa.exc.SQLAlchemyError as error:
                        _log.warning("database-does-not-answer", error=_line(error))
                        if time.monotonic() - answered > self._pace.lease:
                            self._drain()
                            raise
                        claimed = False
                    if claimed:
                        continue
                else:
                    answered = time.monotonic()  # it was not asked: those that run would tell
                self._ended.wait(self._pace.poll)
            self._drain()

    def _claim(self, pool: ThreadPoolExecutor) -> bool:
        claim = self._queue.claim(self._cell, self._holder, self._pace.lease)
        if claim is None:
            return False
        run = Run(
            self._queue,
            claim,
            lease_seconds=self._pace.lease,
            heartbeat_seconds=self._pace.heartbeat,
            longest_seconds=self._pace.longest,
            grace_seconds=self._pace.grace,
        )
        self._running.add(run)
        pool.submit(self._attend, run)
        return True

    def _drain(self) -> None:
        """What does not end in time is interrupted and handed back."""
        if self._running:
            _log.info("draining", running=len(self._running), seconds=self._pace.drain)
        for seconds, interrupts in ((self._pace.drain, 0), (self._pace.grace, 1), (float("inf"), 2)):
            for run in tuple(self._running):
                run.interrupts.count = max(interrupts, run.interrupts.count)
            deadline = time.monotonic() + seconds
            while self._running and time.monotonic() < deadline:
                self._beat()
                time.sleep(0.05)

    def _attend(self, run: Run) -> None:
        operation = run.operation
        about = {"operation": str(operation.id), "tenant": operation.tenant, "kind": str(operation.kind)}
        began = time.monotonic()
        with correlated(operation.correlation_id):
            _log.info("operation-begun", **about, attempt=operation.attempt, requester=operation.requester)
            try:
                with run:
                    end, told = self._done(run)
            except LeaseLost:
                end, told = "abandoned", {"reason": "another has it"}
            except Exception as error:
                # The lease runs out, and it is begun again: by then whatever this was may have passed.
                _log.exception("operation-not-written", **about)
                end, told = "abandoned", {"reason": str(error).splitlines()[0] if str(error) else type(error).__name__}
            finally:
                self._running.discard(run)
                self._ended.set()
            _log.info(f"operation-{end}", **about, **told, seconds=round(time.monotonic() - began, 3))

    def _done(self, run: Run) -> tuple[str, dict[str, object]]:
        """Work, and write what came of it. Returns what to log."""
        queue, claim = self._queue, run.claim
        try:
            done = self._work(run)
        except Interrupted as error:
            if run.lost:
                return "abandoned", {"reason": "lease lost"}
            if run.overdue:
                return self._tried(run, _too_long(run).line())
            _written(run, lambda: queue.hand_back(claim))
            return "handed-back", {"reason": error.line()}
        except Superseded as error:
            reason = error.line()
            _written(run, lambda: queue.cancel_claimed(claim, reason))
            return "cancelled", {"reason": reason}
        except TransientError as error:
            return self._tried(run, error.line())
        except FreeholdError as error:
            return self._given_up(run, error.line())
        except sa.exc.SQLAlchemyError as error:  # the work reads the tenant's row
            return self._tried(run, TransientError(_line(error), where="control database").line())
        except Exception as error:
            _log.exception("defect", operation=str(run.operation.id), tenant=run.operation.tenant)
            return self._given_up(run, f"a defect of the runner: {type(error).__name__}: {error}".splitlines()[0])
        _written(run, lambda: queue.succeed(claim, done.result, done.record))
        return "succeeded", {"changes": done.result.get("changes")}

    def _tried(self, run: Run, error: str) -> tuple[str, dict[str, object]]:
        failures, backoff = run.operation.failures + 1, self._pace.backoff
        if backoff.given_up(failures):
            return self._given_up(run, f"given up after {failures} failures: {error}")
        delay = backoff.delay(failures)
        tenant = run.operation.tenant
        _written(run, lambda: self._queue.retry(run.claim, error, delay, lambda c: registry.troubled(c, tenant, error)))
        return "to-be-retried", {"error": error, "failures": failures, "in_seconds": round(delay, 1)}

    def _given_up(self, run: Run, error: str) -> tuple[str, dict[str, object]]:
        _written(run, lambda: self._queue.fail(run.claim, error, _refused(run, error)))
        return "failed", {"error": error}


def _too_long(run: Run) -> TransientError:
    return TransientError(
        f"stopped after {run.seconds / 60:.1f} minutes, which is longer than anything should take",
        where=f"tenant {run.operation.tenant}",
        mend="see what it waits for (docs/recover.md: an operation that runs for long)",
    )


def _refused(run: Run, error: str) -> Record:
    """A tenant whose deletion failed is still being deleted."""
    write = registry.deleting if run.operation.kind is Kind.DELETE else registry.failed
    return lambda connection: write(connection, run.operation.tenant, error)


def _written(run: Run, write: Callable[[], None]) -> None:
    """What came of the run, through a restart or a failover of the database. Raises what it says after that."""
    run.concluding = True
    for left in reversed(range(_WRITES)):
        try:
            return write()
        except sa.exc.SQLAlchemyError as error:
            if left == 0:
                raise
            _log.warning("not-written-yet", error=_line(error))
            time.sleep(_WRITE_PAUSE_SECONDS)
    raise AssertionError("unreachable")


def _line(error: sa.exc.SQLAlchemyError) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


__all__ = ["Done", "Pace", "Runner", "Superseded"]
