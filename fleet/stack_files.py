"""Pulumi.yaml and Pulumi.<stack>.yaml as files: read, and kept as a person wrote them."""

from __future__ import annotations

import json
import re
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
    """The file's mapping, empty where there is no file; its `config` is a mapping or None. Raises FreeholdError with
    the place of a mistake."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError as error:
        raise FreeholdError("not UTF-8", where=str(path), mend="save it as UTF-8") from error
    except OSError as error:
        what = f"cannot read: {error.strerror}"
        raise FreeholdError(what, where=str(path), mend="put a file there that this user may read") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark is not None else str(path)
        # About a character that may not be there it speaks in two lines.
        said = getattr(error, "problem", None) or re.sub(r"\n.*(?=position)", " at ", str(error))
        what = f"not valid YAML: {said}"
        raise FreeholdError(what, where=place, mend="correct it") from None
    except ValueError as error:  # a date of no calendar, a number of thousands of digits
        raise FreeholdError(f"not valid YAML: {error}", where=str(path), mend="correct it") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise FreeholdError("holds no mapping", where=str(path), mend="it must begin with `config:`")
    if not isinstance(content.get("config") or {}, dict):
        mend = "write keys with their values below it, such as `freehold:region: us-east-1`"
        raise FreeholdError("config: holds no mapping", where=str(path), mend=mend)
    return content


def structured(value: Json) -> Json:
    """A list or an object, also where the file has it as JSON text, as a plain `pulumi config set` leaves it. What is
    neither is returned as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def project_name(path: Path) -> str:
    """The `name` of a Pulumi.yaml. Raises FreeholdError where it has none."""
    name = read_stack_file(path).get("name")
    if not name or not isinstance(name, str):
        raise FreeholdError("name: is missing or no text", where=str(path), mend="write `name: freehold`")
    return name


@contextmanager
def form_kept(path: Path) -> Iterator[None]:
    """Around a command of the engine that adds keys to the file: it writes all of it anew, without blank lines and with
    indentation of its own. What a person wrote stays to the byte, what was added follows it.

    Where the engine changed what was there, or the two do not go together, the file stays as the engine wrote it.
    """
    known = read_stack_file(path)
    before = path.read_bytes() if path.exists() else b""
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
