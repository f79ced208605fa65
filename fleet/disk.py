"""Room for the state on the disk of the file backend.

The engine (v3.200.0) writes a checkpoint that no longer fits by half and puts it in place of the whole one. So a run
begins only with room to spare, keeps a reserve, and is stopped while there is room to write what it has done.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from errors import FreeholdError
from sandbox.files import unwritable

LOW_BYTES = 8 * 2**20
"""With less free than this no run begins, and one that runs is stopped."""

# The engine writes a checkpoint, its backup and the history's copy, each twice as long as the last in the worst case.
_COPIES = 8
_RESERVE_BYTES = 2**20


class Room:
    """What a run has: `low` while it goes on, `release` gives it the reserve to finish with."""

    def __init__(self, folder: Path, reserve: Path) -> None:
        self.folder, self._reserve = folder, reserve

    @property
    def low(self) -> bool:
        return _free(self.folder) < LOW_BYTES

    def release(self) -> None:
        self._reserve.unlink(missing_ok=True)

    def refused(self) -> FreeholdError:
        """The one line for a person, also when the run has been stopped for it."""
        free = _free(self.folder) / 2**20
        return FreeholdError(
            f"no space left for the state: {free:.1f} MiB, {LOW_BYTES / 2**20:.0f} MiB are kept free",
            where=str(self.folder),
            mend="free some space and run it again: it goes on from there",
        )


@contextmanager
def room(folder: Path, state: Path) -> Iterator[Room]:
    """Room on the disk of `folder` for a run that writes `state`. Raises FreeholdError where there is too little."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from None
    # Of one name for either form of the state, as the next run has to find it.
    reserve = folder / f".reserve-{state.name.removesuffix('.gz').removesuffix('.json')}"
    reserve.unlink(missing_ok=True)  # of a run that was killed
    kept = Room(folder, reserve)
    if kept.low:
        raise kept.refused()
    size = state.stat().st_size if state.exists() else 0
    try:
        with open(reserve, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(_RESERVE_BYTES, _COPIES * size))
    except OSError as error:
        kept.release()
        raise kept.refused() from error
    try:
        yield kept
    finally:
        kept.release()


def _free(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize
