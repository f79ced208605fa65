"""Files that are whole or absent, whatever is killed meanwhile."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from errors import FreeholdError


def write_atomically(path: Path, content: bytes, mode: int) -> None:
    """Replace `path` in one step, or leave it as it was. Raises a one-line error for a full disk or a refused write."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise unwritable(path, error) from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise unwritable(path, error) from None


def unwritable(path: Path, error: OSError) -> FreeholdError:
    """`error` from writing `path`, as one line with the mend."""
    return FreeholdError(
        f"cannot write: {error.strerror}",
        where=str(path),
        mend="free some space or correct the permissions, or set FREEHOLD_HOME to another folder",
    )


def unreadable(path: Path, error: OSError) -> FreeholdError:
    """`error` from reading `path`, as one line with the mend."""
    return FreeholdError(
        f"cannot read: {error.strerror}",
        where=str(path),
        mend="correct the permissions, or set FREEHOLD_HOME to another folder",
    )


def damaged(path: Path) -> FreeholdError:
    """`path` holds something else than the sandbox wrote there: one line with the mend."""
    return FreeholdError(
        "is damaged", where=str(path), mend="put a copy of it back, or begin anew: ./freehold sandbox reset"
    )
