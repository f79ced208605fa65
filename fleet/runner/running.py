"""One claimed operation while it is worked on: its lease is renewed until it ends, or is told to."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

import sqlalchemy as sa

from fleet.events import Progress
from fleet.interrupts import Interrupts
from fleet.operations import Operation
from fleet.queue import Claim, LeaseLost, Queue, Record
from services.logs import logger

_log = logger(__name__)


@dataclass(frozen=True)
class Done:
    """What came of it: for whoever asked, and for the tenant's row."""

    result: Mapping[str, Any]
    record: Record


class Run:
    """What the work knows of its operation, and tells of itself. Within it, the lease is renewed by a thread, and
    another watches that it does not run out: a renewal may hang in the network for longer than that. A third sees to it
    that the work ends within `longest_seconds`, or `grace_seconds` later for good.

    `interrupts.count` is raised when the work is to stop; `lost` says that it is because another may have it now,
    `overdue` that it takes too long.
    `held_until`, by the monotonic clock, is when the lease runs out at the earliest.
    `concluding` says that what came of it is being written: with that the lease ends, and is no more lost.
    """

    def __init__(
        self,
        queue: Queue,
        claim: Claim,
        *,
        lease_seconds: float,
        heartbeat_seconds: float,
        longest_seconds: float,
        grace_seconds: float,
    ) -> None:
        self.claim = claim
        self.interrupts = Interrupts()
        self.lost = self.overdue = self.concluding = False
        self._queue = queue
        self._lease, self._heartbeat = lease_seconds, heartbeat_seconds
        self._longest, self._grace = longest_seconds, grace_seconds
        self._began = time.monotonic()
        self._progress: Mapping[str, Any] | None = None
        self.held_until = claim.asked + lease_seconds
        self._over, self._losing = threading.Event(), threading.Lock()
        name = f"lease of {claim.operation.id}"
        self._renewing = threading.Thread(target=self._renew, name=name, daemon=True)
        self._watching = threading.Thread(target=self._watch, name=f"{name}, watched", daemon=True)
        self._limiting = threading.Thread(target=self._limit, name=f"{name}, limited", daemon=True)

    @property
    def operation(self) -> Operation:
        return self.claim.operation

    @property
    def seconds(self) -> float:
        """Since it was claimed."""
        return time.monotonic() - self._began

    def __enter__(self) -> Self:
        self._renewing.start()
        self._watching.start()
        self._limiting.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._watching.join()
        self._limiting.join()
        # One that hangs is left to the limits of its connection.
        self._renewing.join(max(0.0, self.held_until - time.monotonic()))

    def observe(self, progress: Progress) -> None:
        """Take the engine's progress; it is written with the next renewal."""
        self._progress = {
            "previewing": progress.previewing,
            "planned": progress.planned,
            "done": progress.done,
            "current": progress.current,
        }

    def tell(self, line: str) -> None:
        _log.info("engine-said", line=line, operation=str(self.operation.id), tenant=self.operation.tenant)

    def _renew(self) -> None:
        while not self._over.wait(self._heartbeat):
            # Before it is asked: the database counts the lease from when it hears of it, however late it answers.
            asked = time.monotonic()
            try:
                self._queue.renew(self.claim, self._lease, self._progress)
            except LeaseLost:
                self._lose("lease-lost")
                return
            except sa.exc.SQLAlchemyError as error:
                _log.warning("lease-not-renewed", operation=str(self.operation.id), error=str(error).splitlines()[0])
            else:
                self.held_until = asked + self._lease

    def _watch(self) -> None:
        while (left := self.held_until - time.monotonic()) > 0:
            if self._over.wait(left):
                return
        self._lose("lease-run-out")

    def _limit(self) -> None:
        if self._over.wait(self._longest):
            return
        with self._losing:
            # One that was told to stop already is on its way, and is no failure.
            if self.lost or self.concluding or self.interrupts.count:
                return
            self.overdue = True
            self.interrupts.count = 1
        about = {"operation": str(self.operation.id), "tenant": self.operation.tenant}
        _log.warning("operation-overdue", **about, seconds=round(self.seconds, 1))
        if not self._over.wait(self._grace):
            self.interrupts.count = max(2, self.interrupts.count)

    def _lose(self, event: str) -> None:
        """Stop the work, once; what is being written by now decides for itself whether the lease still holds."""
        with self._losing:
            if self.lost or self.concluding:
                return
            self.lost = True
        _log.warning(event, operation=str(self.operation.id), tenant=self.operation.tenant)
        self.interrupts.count += 1


class Work(Protocol):
    """Does an operation to its end, or raises: TransientError is tried again, Superseded cancels it, Interrupted hands
    it back, any other FreeholdError gives it up."""

    def __call__(self, run: Run) -> Done: ...
