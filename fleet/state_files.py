"""The file of a stack's state in the file backend: plain or, where PULUMI_DIY_BACKEND_GZIP says so, compressed."""

from __future__ import annotations

import gzip
import json
import os
import stat
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from errors import TransientError
from sandbox.files import unreadable, unwritable, write_atomically

GZIP = "PULUMI_DIY_BACKEND_GZIP"
_COMPRESSED = ".gz"
_MAGIC = b"\x1f\x8b\x08"
_COPY = ".bak"
_MODE = 0o644
"""Of a state that the engine makes; its secrets are encrypted."""


def local_backend(environment: Mapping[str, str]) -> Path | None:
    """The folder of the file backend, or None where PULUMI_BACKEND_URL names another kind."""
    address = urlsplit(environment.get("PULUMI_BACKEND_URL", ""))
    return Path(unquote(address.path)) if address.scheme == "file" else None


def compresses(environment: Mapping[str, str]) -> bool:
    """Whether the engine writes compressed states: as it reads such a variable."""
    return environment.get(GZIP, "").lower() in ("true", "1")


def state_path(backend: Path, project: str, stack: str) -> Path:
    """Where the file backend keeps a stack's state; the plain file's path where there is none.

    Of two it is the one that the engine reads: the compressed one, unless the plain one is younger
    (`stackPath` of pulumi's pkg/backend/diy/state.go). Raises FreeholdError where this user may not look.
    """
    plain, compressed = _forms(backend, project, stack)
    try:
        made = compressed.stat().st_mtime_ns
        return plain if plain.stat().st_mtime_ns > made else compressed
    except FileNotFoundError:
        return compressed if compressed.exists() else plain
    except OSError as error:
        raise unreadable(plain.parent, error) from None


def last_copy(backend: Path, project: str, stack: str) -> Path | None:
    """The youngest copy beside the state that is there and not empty; of either form, as the state may be compressed
    since."""
    copies = [path for path in state_copies(backend, project, stack) if path.suffix == _COPY]
    there = [path for path in copies if path.is_file() and path.stat().st_size]
    return max(there, key=lambda path: path.stat().st_mtime_ns, default=None)


def state_copies(backend: Path, project: str, stack: str) -> tuple[Path, ...]:
    """Where the engine keeps the state before the last, and the attributes of that file."""
    forms = _forms(backend, project, stack)
    return tuple(form.with_name(form.name + suffix) for form in forms for suffix in (_COPY, f"{_COPY}.attrs"))


def history(backend: Path, project: str, stack: str) -> Path:
    """The folder where the engine keeps what each update came to, with the state after it; it goes with `stack rm`."""
    return backend / ".pulumi" / "history" / project / stack


def after_last_update(backend: Path, project: str, stack: str) -> Path | None:
    """The state after the last update that came to its end, if the stack's history has one."""
    kept = history(backend, project, stack).glob("*.checkpoint.json*")
    # Their names have the time in nanoseconds.
    return max((path for path in kept if path.suffix != ".attrs"), key=lambda path: path.name, default=None)


def stored(path: Path) -> bytes:
    """What such a file holds. Raises OSError, and ValueError where it is not whole.

    As the engine does, by what is in it and not by its name: who restores one may copy either form over the other.
    """
    content = path.read_bytes()
    if not content.startswith(_MAGIC):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(str(error)) from None


def compress(environment: Mapping[str, str], project: str, stack: str) -> None:
    """Compress the state if it is plain and is not to be. The engine would do it too, but it deletes the plain one
    first: killed in that moment, it would leave none. Under the stack's lock, of a state that was read and is whole:
    what was plain takes the place of the copy beside it. Raises FreeholdError where the disk is full or refuses."""
    backend = local_backend(environment)
    if backend is None or not compresses(environment):
        return
    plain, compressed = _forms(backend, project, stack)
    if not plain.exists():
        return
    if state_path(backend, project, stack) == plain:
        write_atomically(compressed, gzip.compress(stored(plain)), stat.S_IMODE(plain.stat().st_mode))
    try:
        # An older one too: `stack rm` takes away one of the two, and the other would be the stack's state again.
        os.replace(plain, plain.with_name(f"{plain.name}{_COPY}"))
    except OSError as error:
        raise unwritable(plain, error) from None


def make_empty(environment: Mapping[str, str], project: str, stack: str) -> bool:
    """Write the state of a stack without resources: what the engine's `stack init` writes first. False where it must
    do it itself. Raises TransientError where there is one by now, FreeholdError where the disk is full or refuses."""
    backend = local_backend(environment)
    # That file tells how stacks are named. The engine writes it, and takes a folder without it for one of years ago.
    if backend is None or not (backend / ".pulumi" / "meta.yaml").is_file():
        return False
    path, compressed = _forms(backend, project, stack)
    content = json.dumps({"version": 3, "checkpoint": {"stack": f"organization/{project}/{stack}"}}).encode()
    if compresses(environment):
        path, content = compressed, gzip.compress(content)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.") as whole:
            os.fchmod(whole.fileno(), _MODE)
            whole.write(content)
            whole.flush()
            os.fsync(whole.fileno())
            os.link(whole.name, path)  # which replaces nothing
    except FileExistsError:
        raise TransientError("another run has made it", where=f"stack {stack}", mend="run it again") from None
    except OSError as error:
        raise unwritable(path, error) from None
    return True


def _forms(backend: Path, project: str, stack: str) -> tuple[Path, Path]:
    folder = backend / ".pulumi" / "stacks" / project
    return folder / f"{stack}.json", folder / f"{stack}.json{_COMPRESSED}"
