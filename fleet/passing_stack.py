"""What is made for the preview of a stack that is not there yet goes again with it: the engine previews none that does
not exist."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from errors import FreeholdError
from sandbox.files import write_atomically


@contextmanager
def passing(
    name: str,
    files: tuple[Path, ...],
    *,
    make: Callable[[], object],
    remove: Callable[[], object],
    tell: Callable[[str], None],
) -> Iterator[None]:
    """Around a preview. `files` are written by `make` or `remove`, and are put back as they were, unless somebody has
    written them meanwhile. Where `remove` refuses, as for one that another run has taken over, the stack is told and
    stays, and so do they. A preview that is killed leaves it too."""
    before = {path: _content(path) for path in files}
    make()
    made = {path: _content(path) for path in files}
    try:
        yield
    finally:
        untouched = [path for path in files if _content(path) == made[path]]
        try:
            remove()
            for path in untouched:
                _put_back(path, before[path])
        except FreeholdError as error:
            tell(f"stack {name}: the empty one that was made for the preview stays: {error.line()}")


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _put_back(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
    elif _content(path) != content:
        write_atomically(path, content, path.stat().st_mode & 0o777 if path.exists() else 0o600)
