"""One run at a time for each stack: a file lock that says who holds it."""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from errors import TransientError
from sandbox.files import unwritable

WAIT_SECONDS = 600.0
"""How long a run waits for another of the same stack, unless told otherwise."""

_LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Holder:
    """Who holds a lock: `since` is in seconds since the epoch."""

    pid: int
    since: float
    command: str

    def __str__(self) -> str:
        return f"process {self.pid} (`{self.command}`, since {datetime.fromtimestamp(self.since):%H:%M:%S})"


def own_command() -> str:
    """This process's command as a person typed it."""
    return " ".join(["freehold", *sys.argv[1:]])


@contextmanager
def locked(
    path: Path, what: str, *, wait: float, tell: Callable[[str], None], stop: Callable[[], None]
) -> Iterator[None]:
    """Hold the lock at `path`, which guards `what`.

    Waits up to `wait` seconds for another holder, after telling who it is; then raises TransientError. `stop` is called
    each time it looks, and raises where the waiting shall end. The kernel drops the lock with the process that holds
    it, however that ends.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise unwritable(path, error) from None
    try:
        _take(descriptor, what, wait, tell, stop)
        try:
            _sign(descriptor)
        except OSError as error:
            raise unwritable(path, error) from None
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, what: str, wait: float, tell: Callable[[str], None], stop: Callable[[], None]) -> None:
    deadline = time.monotonic() + wait
    told: Holder | None = None
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            holder = _holder(descriptor)
        stop()
        if time.monotonic() >= deadline:
            raise TransientError(
                f"held by {holder or 'another run'}, and waiting {wait:.0f} s did not help",
                where=what,
                mend="let it finish or stop it, then try again; --wait SECONDS waits longer",
            )
        if holder is not None and holder != told:
            tell(f"{what}: waiting for {holder}, at most {deadline - time.monotonic():.0f} s")
            told = holder
        time.sleep(_LOOK_SECONDS)


def _sign(descriptor: int) -> None:
    content = json.dumps({"pid": os.getpid(), "since": time.time(), "command": own_command()}).encode()
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, content, 0)


def _holder(descriptor: int) -> Holder | None:
    """None in the moment between taking the lock and signing it."""
    try:
        return Holder(**json.loads(os.pread(descriptor, 4096, 0)))
    except (ValueError, TypeError):
        return None
