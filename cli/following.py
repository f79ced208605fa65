"""Following operations until they end: their progress on the screen, and why one failed."""

from __future__ import annotations

import getpass
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import sqlalchemy as sa

from cli.output import Screen, Step, spell
from errors import FreeholdError, TransientError
from fleet.events import tally
from fleet.interrupts import Interrupted, Interrupts
from fleet.operations import Operation, State
from fleet.targets import Target

if TYPE_CHECKING:
    from fleet.environments import Environment
    from fleet.queue_view import QueueView

_LOOK_SECONDS = 0.2
_RUNNER_LOOK_SECONDS = 5.0
_UNTAKEN_SECONDS = 30.0
_DATABASE_SECONDS = 300.0
"""A failover takes a minute or two, and a change of the instance's class some more."""
_DATABASE_PAUSE_SECONDS = 1.0

T = TypeVar("T")
UNREACHABLE = (sa.exc.OperationalError, sa.exc.InterfaceError)
"""What a statement raises whose connection ended, or cannot be had."""


def reason(error: sa.exc.DBAPIError) -> str:
    """Its first line, without the statement."""
    return next(iter(str(error.orig).strip().splitlines()), type(error).__name__)


def requester() -> str:
    """Who asks by this command: `cli:<user>`."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        return f"cli:{os.getuid()}"  # a user without a name, as containers have them


@contextmanager
def goes_on(where: str, mend: str) -> Iterator[None]:
    """Ctrl-C ends the following alone, and says so: who presses it at a deletion is not to believe that it was stopped.

    Raises FreeholdError in its place."""
    try:
        yield
    except KeyboardInterrupt:
        raise FreeholdError("no longer followed; what was asked for goes on", where=where, mend=mend) from None


class Follower:
    """Follows operations of one environment. A stop asked for by `interrupts` ends the following, not the operation."""

    def __init__(self, environment: Environment, view: QueueView, screen: Screen, interrupts: Interrupts) -> None:
        self._environment, self._view = environment, view
        self._screen, self._interrupts = screen, interrupts

    def follow(self, asked: Operation, step: Step) -> Operation:
        """The operation when it has ended well. Raises FreeholdError with its error, and where no runner is there."""
        failures, began = asked.failures, time.monotonic()
        looked, told = 0.0, False
        while not (now := self._now(asked, step)).ended:
            if self._interrupts.count:
                raise Interrupted(f"tenant {asked.tenant}")
            if now.failures > failures:
                failures = now.failures
                self._screen.tell(
                    f"tenant {asked.tenant}: attempt {now.attempt} failed, and is tried again: {now.error}"
                )
            if now.state is State.QUEUED and time.monotonic() - looked > _RUNNER_LOOK_SECONDS:
                self._require_runner(now)
                looked = time.monotonic()
                if not told and now.attempt == 0 and looked - began > _UNTAKEN_SECONDS:
                    told = True
                    self._screen.tell(f"tenant {asked.tenant}: no runner has taken it yet; operation {asked.id} waits")
            _show(now, step)
            time.sleep(_LOOK_SECONDS)
        if now.state is State.CANCELLED:
            # Its tenant is being deleted, or is gone; what says so may be a runner's, which knows of no command.
            mend = f"./freehold tenant show {asked.tenant}{self._environment.options} tells how far that is"
            raise FreeholdError(now.error or f"operation {now.id} was cancelled", mend=mend)
        if now.state is not State.SUCCEEDED:
            raise FreeholdError(now.error or f"it was {now.state}")
        step.result = tally((now.result or {}).get("changes") or {})
        return now

    def _read(self, read: Callable[[], T], step: Step) -> T:
        """What the queue says, through a restart or a failover of its database: the operation goes on meanwhile."""
        began, told = time.monotonic(), False
        while True:
            try:
                return read()
            except UNREACHABLE as error:
                if self._interrupts.count:
                    raise Interrupted(f"cell {self._environment.cell}") from None
                if time.monotonic() - began > _DATABASE_SECONDS:
                    what = f"no longer followed, and goes on; the control database does not answer: {reason(error)}"
                    mend = f"./freehold fleet status{self._environment.options} says how far it is"
                    raise TransientError(what, where=f"cell {self._environment.cell}", mend=mend) from None
                if not told:
                    self._screen.tell(f"waiting for the control database, at most {spell(_DATABASE_SECONDS)}")
                    told = True
                step.doing("waiting for the control database")
                time.sleep(_DATABASE_PAUSE_SECONDS)

    def _now(self, asked: Operation, step: Step) -> Operation:
        found = self._read(lambda: self._view.get(asked.id), step)
        if found is None:
            raise FreeholdError("it has gone from the queue", where=f"operation {asked.id}")
        return found

    def _require_runner(self, operation: Operation) -> None:
        """In the sandbox it can be known; in the cloud it shows when nobody takes the operation."""
        if self._environment.target is not Target.SANDBOX:
            return
        from sandbox.processes.runner import KIND
        from sandbox.supervisor.client import Supervisor

        processes = Supervisor.connect(self._environment.home).status().processes
        mine = [one for one in processes if one.kind == KIND and one.instance == self._environment.cell]
        if not mine or mine[0].state in ("failed", "stopped"):
            raise FreeholdError(
                f"operation {operation.id} waits, and no runner is there to do it",
                where=f"tenant {operation.tenant}",
                mend=f"{self._environment.command('up')} starts one",
            )

    def follow_all(self, asked: Sequence[Operation], step: Step) -> Sequence[Operation]:
        """All of them when they have ended, well or not. Raises FreeholdError where no runner is there."""
        looked = 0.0
        while True:
            now = self._read(lambda: self._view.all([one.id for one in asked]), step)
            ended = sum(one.ended for one in now)
            step.show(ended, len(now), _at_work(now))
            if ended == len(now):
                step.result = tally(Counter(str(one.state) for one in now))
                return now
            if self._interrupts.count:
                raise Interrupted(f"cell {self._environment.cell}")
            waiting = [one for one in now if one.state is State.QUEUED]
            if waiting and time.monotonic() - looked > _RUNNER_LOOK_SECONDS:
                self._require_runner(waiting[0])
                looked = time.monotonic()
            time.sleep(_LOOK_SECONDS)


def _at_work(operations: Sequence[Operation]) -> str:
    """`acme creating database, beta previewing`, as far as a line holds it."""
    running = [one for one in operations if one.state is State.RUNNING]
    return ", ".join(f"{one.tenant} {at(one)[2]}" for one in running[:3])


def _show(operation: Operation, step: Step) -> None:
    if operation.state is State.QUEUED:
        step.doing("waiting to be tried again" if operation.failures else "waiting for its turn")
        return
    done, planned, doing = at(operation)
    step.show(done, planned, doing)


def at(operation: Operation) -> tuple[int, int, str]:
    """How far one that runs is, as its runner told it last: resources done, resources in the plan (0 until the preview
    has ended, and where there is none), and what the engine works on."""
    if (progress := operation.progress) is None:
        return 0, 0, "starting"
    done, planned = int(progress["done"]), int(progress["planned"])
    return done, planned, "previewing" if progress["previewing"] and not planned else progress["current"] or "updating"
