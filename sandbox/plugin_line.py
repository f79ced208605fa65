"""What a script that an engine starts as a plugin asks for: one line, a literal of Python as `repr` writes it.

`sandbox/providers/plugin.py` and `fleet/program_host/analyzer.py` write it, which import next to nothing: bytes stay
what they are in it, and no line ends within.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Mapping
from typing import Any, Protocol

_LIMIT = 1 << 22
"""Bytes; the system's own limit of a process' environment and arguments is half of it."""


class _Lines(Protocol):
    def readline(self, limit: int, /) -> bytes: ...


class Unreadable(ValueError):
    """No such line. Says nothing of what came instead: it is an environment, with all its secrets."""


def read(lines: _Lines) -> tuple[Any, ...] | None:
    """What was asked; None where nothing was. Raises Unreadable."""
    line = lines.readline(_LIMIT)
    if not line:
        return None
    if not line.endswith(b"\n"):
        raise Unreadable("the plugin's request was cut off")
    try:
        asked = ast.literal_eval(line.decode())
    except (SyntaxError, ValueError):
        asked = None
    if not isinstance(asked, tuple):
        raise Unreadable("the plugin's request cannot be read: it is of another release")
    return asked


def environment(variables: Mapping[bytes, bytes]) -> dict[str, str]:
    """As Python has it, whatever bytes it is of."""
    return {os.fsdecode(name): os.fsdecode(value) for name, value in variables.items()}
