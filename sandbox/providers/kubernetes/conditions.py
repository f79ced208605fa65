"""The `pulumi.com/waitFor` annotation: a condition or a JSONPath that a program waits for itself.

Source: https://www.pulumi.com/registry/packages/kubernetes/installation-configuration/ (pulumi.com/waitFor); the
syntax is that of `kubectl wait --for`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.providers.kubernetes.connection import Json
from sandbox.providers.kubernetes.readiness import READY, State, condition

_STEP = re.compile(r"""\.((?:[^.\[\]{}\\]|\\.)+)|\[(\d+|\*)\]|\['([^']*)'\]""")


@dataclass(frozen=True)
class Wanted:
    """One expression: a condition's status, or values at a path (any value where `value` is None)."""

    text: str
    condition: str | None
    path: tuple[str | int, ...]
    value: str | None

    def met(self, live: Json) -> State:
        """Whether the object meets it."""
        if self.condition is not None:
            found = condition(live, self.condition)
            if str(found.get("status", "")).lower() == str(self.value).lower():
                return READY
            return State(False, f"waits for {self.text}, it is {found.get('status') or 'not there'}")
        values = _values(live, self.path)
        if any(self.value is None or _text(value) == self.value for value in values):
            return READY
        seen = ", ".join(_text(value) for value in values) or "not there"
        return State(False, f"waits for {self.text}, it is {seen}")


def parse(annotation: str) -> tuple[Wanted, ...]:
    """The expressions of an annotation: one, or a JSON list of several. Raises ValueError for what is none."""
    text = annotation.strip()
    if not text.startswith("["):
        return (_one(text),)
    found = json.loads(text)
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found) or not found:
        raise ValueError("a list of expressions holds texts")
    return tuple(_one(item) for item in found)


def _one(text: str) -> Wanted:
    if text.startswith("condition="):
        name, _, value = text.removeprefix("condition=").partition("=")
        if not name:
            raise ValueError(f"{text!r} names no condition")
        return Wanted(text, name, (), value or "True")
    if text.startswith("jsonpath="):
        path, _, value = text.removeprefix("jsonpath=").partition("}")
        expression = path.removeprefix("{").strip()
        expected = value.removeprefix("=").strip("'\"") if value else None
        return Wanted(text, None, _steps(expression), expected)
    raise ValueError(f"{text!r} starts with neither condition= nor jsonpath=")


def _steps(expression: str) -> tuple[str | int, ...]:
    steps: list[str | int] = []
    expression = expression if expression.startswith((".", "[")) else f".{expression}"
    at = 0
    while at < len(expression):
        found = _STEP.match(expression, at)
        if found is None:
            raise ValueError(f"{expression[at:]!r} is not served: fields, ['quoted fields'], [0] and [*] are")
        name, index, quoted = found.groups()
        if index is not None:
            steps.append("*" if index == "*" else int(index))
        else:
            steps.append(quoted if quoted is not None else re.sub(r"\\(.)", r"\1", name))
        at = found.end()
    if not steps:
        raise ValueError("the path is empty")
    return tuple(steps)


def _values(value: Any, path: tuple[str | int, ...]) -> list[Any]:
    if not path:
        return [] if value is None else [value]
    step, rest = path[0], path[1:]
    if step == "*":
        items = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
        return [found for item in items for found in _values(item, rest)]
    if isinstance(step, int):
        return _values(value[step], rest) if isinstance(value, list) and step < len(value) else []
    return _values(value.get(step), rest) if isinstance(value, Mapping) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
