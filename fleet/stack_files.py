"""Pulumi.yaml and Pulumi.<stack>.yaml as files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from errors import FreeholdError

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
