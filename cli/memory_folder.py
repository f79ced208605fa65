"""Where the tests write: a folder in memory, where the machine has one to give.

Their homes, states and databases are thrown away, and to write them to a disk costs the suite a twentieth of its time.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

MEMORY = Path("/dev/shm")
"""Linux' file system in memory that every user may write to; containers often give it next to nothing."""
FOLDER_BYTES = 4 << 30
"""What must be free in MEMORY: three times of what the suite has there at its most."""
MEMORY_BYTES = 8 << 30
"""What must be free of the machine's memory, and of what the control group may still take: FOLDER_BYTES, and as much
for the processes."""
_LIMITS = (
    ("memory.max", "memory.current"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
)
"""Files of the control group, of its second and its first version: what may be taken, and what is."""


@contextmanager
def memory_folder(memory: Path = MEMORY, control_group: Path = Path("/sys/fs/cgroup")) -> Iterator[Path | None]:
    """A new folder in `memory`, for temporary files; None where they belong elsewhere or there is no room.

    It is not removed at the end, for what failed is looked at, but by the next run: as many runs as are at work have
    folders, and one that has failed.
    """
    if "TMPDIR" in os.environ or not _has_room(memory, control_group):
        yield None
        return
    own = memory / f"freehold-{os.getuid()}"  # short, for paths of Unix sockets are
    with ExitStack() as locks:
        try:
            own.mkdir(mode=0o700, exist_ok=True)
            if own.is_symlink() or own.stat().st_uid != os.getuid():
                raise PermissionError(own)
            with _locked(own):
                _clear(own)
                made = Path(tempfile.mkdtemp(dir=own, prefix=""))
                locks.enter_context(_locked(made))
        except OSError:
            made = None
        yield made


def _has_room(memory: Path, control_group: Path) -> bool:
    try:
        about = os.statvfs(memory)
    except OSError:
        return False
    if about.f_flag & (os.ST_NOEXEC | os.ST_RDONLY) or about.f_bavail * about.f_frsize < FOLDER_BYTES:
        return False  # the sandbox runs scripts of its home
    return min(psutil.virtual_memory().available, _allowance(control_group)) >= MEMORY_BYTES


def _allowance(control_group: Path) -> float:
    """Bytes that this control group may still take."""
    for limit, usage in _LIMITS:
        try:
            return int((control_group / limit).read_text()) - int((control_group / usage).read_text())
        except (OSError, ValueError):  # no such file, or `max`
            continue
    return float("inf")


def _clear(own: Path) -> None:
    for folder in own.iterdir():
        try:
            with _locked(folder, wait=False):
                shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            continue  # of a run that is at work


@contextmanager
def _locked(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Let go by the kernel if this process is killed. Raises BlockingIOError if another has it and `wait` is false."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)
