"""The file backend's own locks: one file for each run of the engine, which a killed run leaves behind.

Written by pkg/backend/diy/lock.go of the engine: pid, host and time of the process that holds the stack.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil

from errors import FreeholdError, TransientError

_LOOK_SECONDS = 0.2
_ENGINE = "pulumi"
# Go's clock and the kernel's start time of a process round differently.
_ROUNDING_SECONDS = 2.0


@dataclass(frozen=True)
class BackendLock:
    """One lock file; `since` is in seconds since the epoch."""

    path: Path
    pid: int
    host: str
    since: float

    @property
    def elsewhere(self) -> bool:
        """Whether another host took it, or a container that had another name."""
        return self.host != socket.gethostname()

    @property
    def held(self) -> bool:
        """Whether its process may still live. One on another host is not ours to judge."""
        if self.elsewhere:
            return True
        try:
            process = psutil.Process(self.pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            # A process that began after the lock was taken was only given the same pid. When an engine began cannot be
            # told where the clock has been set since: it counts as the holder, until it ends.
            if process.name() == _ENGINE:
                return True
            # A lock of the future was taken before the clock was set back, and says nothing of who began before it.
            ahead = self.since > time.time() + _ROUNDING_SECONDS
            return not ahead and process.create_time() <= self.since + _ROUNDING_SECONDS
        except psutil.NoSuchProcess:
            return False

    def __str__(self) -> str:
        return f"pulumi, process {self.pid} on {self.host} (since {datetime.fromtimestamp(self.since):%H:%M:%S})"


def backend_locks(backend: Path, project: str, stack: str) -> list[BackendLock]:
    """The locks on a stack now."""
    found = []
    for path in sorted((backend / ".pulumi" / "locks" / "organization" / project / stack).glob("*.json")):
        try:
            content = json.loads(path.read_bytes())
            since = datetime.fromisoformat(content["timestamp"]).timestamp()
            found.append(BackendLock(path, int(content["pid"]), str(content["hostname"]), since))
        except FileNotFoundError:
            continue  # released meanwhile
        except (ValueError, KeyError, TypeError):
            # Cut short by a full disk or a kill while it was written: its holder cannot be known.
            raise FreeholdError(
                "unreadable lock file",
                where=str(path),
                mend=f"if no pulumi runs on this stack: pulumi cancel --stack {stack}",
            ) from None
    return found


def clear_stale(
    backend: Path,
    project: str,
    stack: str,
    *,
    wait: float,
    cancel: Callable[[], object],
    tell: Callable[[str], None],
    stop: Callable[[], None],
) -> None:
    """Wait for living holders (at most `wait` seconds); call `cancel` if only dead ones are left.

    `stop` is called each time it looks, and raises where the waiting shall end.
    """
    deadline = time.monotonic() + wait
    told = False
    while locks := backend_locks(backend, project, stack):
        living = next((lock for lock in locks if lock.held), None)
        if living is None:
            tell(f"stack {stack}: removing the lock of {locks[0]}, which is dead")
            cancel()
            return
        stop()
        if time.monotonic() >= deadline:
            mend = f"let it finish, then try again; if process {living.pid} is no pulumi: pulumi cancel --stack {stack}"
            if living.elsewhere:
                mend = f"let it finish; if no pulumi runs on that host: pulumi cancel --stack {stack}"
            raise TransientError(f"locked by {living}", where=f"stack {stack}", mend=mend)
        if not told:
            tell(f"stack {stack}: waiting for {living}, at most {wait:.0f} s")
            told = True
        time.sleep(_LOOK_SECONDS)
