"""Pulumi.yaml and Pulumi.<stack>.yaml as files: read, and kept as a person wrote them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from errors import FreeholdError
from sandbox.files import write_atomically

Json = Any

# The C loader is ten times as fast; a wheel without it has the other.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_stack_file(path: Path) -> Mapping[str, Json]:
    """The file's mapping, empty where there is no file. Raises FreeholdError with the place of a mistake."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError as error:
        raise FreeholdError("not UTF-8", where=str(path), mend="save it as UTF-8") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark is not None else str(path)
        what = f"not valid YAML: {getattr(error, 'problem', None) or error}"
        raise FreeholdError(what, where=place, mend="correct it") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise FreeholdError("holds no mapping", where=str(path), mend="it must begin with `config:`")
    return content


@contextmanager
def form_kept(path: Path) -> Iterator[None]:
    """Around a command of the engine that adds keys to the file: it writes all of it anew, without blank lines and with
    indentation of its own. What a person wrote stays to the byte, what was added follows it.

    Where the engine changed what was there, or the two do not go together, the file stays as the engine wrote it.
    """
    before = path.read_bytes() if path.exists() else b""
    known = read_stack_file(path)
    yield
    written = read_stack_file(path)
    added = {key: value for key, value in written.items() if key not in known}
    # Its numbers and truth values become strings there, which is what they are to the engine.
    changed = [key for key in known if key != "config" and written.get(key) != known[key]]
    if not before or not added or changed:
        return
    text = before + (b"" if before.endswith(b"\n") else b"\n") + yaml.safe_dump(added, sort_keys=False).encode()
    try:
        together = yaml.load(text, Loader=_LOADER) == {**known, **added}
    except yaml.YAMLError:  # as for a file in JSON, which nothing can follow
        return
    if together:
        write_atomically(path, text, path.stat().st_mode & 0o777)
