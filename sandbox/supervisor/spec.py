"""What the supervisor has to know of a process to run it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.supervisor.messages import SupervisorError


class NotReady(Exception):
    """A health check's answer: not (or no longer) ready, and why, in one line."""


@dataclass(frozen=True)
class ProcessSpec:
    """One process: how to start it, when it is ready, how to stop it.

    `check` and `prepare` may block: they run in threads.
    """

    name: str
    kind: str
    command: tuple[str, ...]
    check: Callable[[], None]
    """Returns when it serves; raises NotReady (or OSError) while it does not. Has its own short timeout."""
    instance: str | None = None
    after: tuple[str, ...] = ()
    """Names of the processes that must be ready before it starts."""
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path = Path("/")
    port: int | None = None
    prepare: Callable[[], None] | None = None
    """Called before each start, restarts included: leftovers of a killed run go here."""
    leftovers: Callable[[], None] | None = None
    """Called after each end, before anybody may start it anew: ends what it had started in sessions of their own,
    where a kill of the process alone leaves them."""
    stop_signal: signal.Signals = signal.SIGTERM
    unprivileged: bool = False
    """Must not run as root: under root it is given another user (see `sandbox.supervisor.privileges`)."""
    ready_seconds: float = 90.0


def no_answer(name: str) -> SupervisorError:
    """A server that was to be changed has just ended, and is started again, or hangs."""
    return SupervisorError("does not answer", where=name, mend="see ./freehold sandbox status, and try again")
