"""`ignore_changes` in a server-side apply: fields of others are left out of it, one's own stay as they are.

The engine only keeps the program's own old value, which another manager (an autoscaler, `kubectl scale`) has changed.
Source: handleSSAIgnoreFields in github.com/pulumi/pulumi-kubernetes, provider/pkg/await/await.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.providers.differences import parse, text
from sandbox.providers.kubernetes.connection import Json


def without_others(body: Json, live: Json, manager: str, ignored: Sequence[str]) -> Json:
    """`body` as it is applied by `manager` to the object `live`."""
    entries = live["metadata"].get("managedFields") or ()
    for path in map(parse, ignored):
        steps = [str(step) for step in path]
        if text(path) != ".".join(steps):
            continue  # the provider follows plain fields only
        holders = {str(entry.get("manager")) for entry in entries if _holds(entry.get("fieldsV1"), steps)}
        if holders and manager not in holders:
            body = _put(body, steps, None)
        elif (value := _at(live, steps)) is not None:
            body = _put(body, steps, value)
    return body


def _holds(fields: Any, steps: Sequence[str]) -> bool:
    return _at(fields, [f"f:{step}" for step in steps]) is not None


def _at(value: Any, steps: Sequence[str]) -> Any:
    for step in steps:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _put(body: Json, steps: Sequence[str], value: Any) -> Json:
    """A copy with another value at a path; None takes it out."""
    first, rest = steps[0], steps[1:]
    if rest:
        below = body.get(first)
        if isinstance(below, Mapping):
            value = _put(dict(below), rest, value)
        elif value is None:
            return body
        else:
            value = _put({}, rest, value)
    return {**body, first: value} if value is not None else {key: it for key, it in body.items() if key != first}
