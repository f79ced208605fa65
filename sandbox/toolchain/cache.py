"""The per-user cache: entries that are whole or absent, made under a lock, shared between checkouts."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from errors import FreeholdError


def cache_root() -> Path:
    """`$XDG_CACHE_HOME/freehold/toolchain`, by default below `~/.cache` (XDG Base Directory Specification).

    Raises FreeholdError where nothing says whose home that is, as in a container with a user of no name.
    """
    configured = os.environ.get("XDG_CACHE_HOME", "")
    try:
        base = Path(configured) if os.path.isabs(configured) else Path.home() / ".cache"
    except RuntimeError:
        what, mend = "is not set, and this user has no entry with a home", "set it to a folder that you may write to"
        raise FreeholdError(what, where="HOME", mend=mend) from None
    return base / "freehold" / "toolchain"


@contextmanager
def locked(root: Path, unit: str, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock of `unit`; `waiting` is called once if another process has it. The kernel drops it when we die."""
    folder = root / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"{unit}.lock", "a", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def staging(root: Path, unit: str) -> Iterator[Path]:
    """A fresh folder beside the entries to build in; to be called under the lock of `unit`.

    What a killed run left there is removed first.
    """
    folder = root / "staging" / unit
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    try:
        yield Path(tempfile.mkdtemp(dir=folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(staged: Path, entry: Path) -> None:
    """Move a finished folder to its place in one step; an entry that is there but lacks a file is replaced."""
    if entry.exists():
        shutil.rmtree(entry)
    os.rename(staged, entry)
