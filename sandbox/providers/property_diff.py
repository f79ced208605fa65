"""Differences between two property values, path by path, and which of them force a replacement."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence

from sandbox.providers.interface import DiffKind, Properties, Unknown, Value
from sandbox.providers.sdk_types import join

_INDEX = re.compile(r"\[\d+\]")
_REPLACE = {
    DiffKind.ADD: DiffKind.ADD_REPLACE,
    DiffKind.DELETE: DiffKind.DELETE_REPLACE,
    DiffKind.UPDATE: DiffKind.UPDATE_REPLACE,
}


def differences(
    old: Properties,
    new: Properties,
    *,
    replace_on: Collection[str] = (),
    sets: Collection[str] = (),
    documents: Collection[str] = (),
) -> dict[str, DiffKind]:
    """Changed paths of `new` against `old`; an unknown value counts as a change.

    The three collections name paths without list indices (`rule.filter.prefix`): `replace_on` those whose change
    replaces the resource (or whose parents' change does), `sets` lists whose order has no meaning, `documents`
    JSON texts that are compared by meaning.
    """
    changes: dict[str, DiffKind] = {}
    _compare("", old, new, changes, frozenset(sets), frozenset(documents))
    return {
        path: _REPLACE[kind] if _replaces(_INDEX.sub("", path), old, new, replace_on) else kind
        for path, kind in changes.items()
    }


def same_document(left: Value, right: Value) -> bool:
    """Whether two JSON texts mean the same; texts that are no JSON are compared as they are."""
    if left == right:
        return True
    try:
        return bool(json.loads(str(left)) == json.loads(str(right)))
    except ValueError:
        return False


def _replaces(path: str, old: Properties, new: Properties, replace_on: Collection[str]) -> bool:
    for trigger in replace_on:
        if path == trigger or path.startswith((trigger + ".", trigger + "[")):
            return True
        if trigger.startswith(path + "."):  # the whole parent was added or taken away
            rest = trigger[len(path) + 1 :].split(".")
            if _value_at(old, path.split(".") + rest) != _value_at(new, path.split(".") + rest):
                return True
    return False


def _value_at(value: Value, steps: Sequence[str]) -> list[Value]:
    """Every value below a path; a list on the way is walked through."""
    if isinstance(value, Sequence) and not isinstance(value, str) and steps:
        return [found for item in value for found in _value_at(item, steps)]
    if not steps:
        return [value]
    if isinstance(value, Mapping) and value.get(steps[0]) is not None:
        return _value_at(value[steps[0]], steps[1:])
    return []


def _compare(
    path: str, old: Value, new: Value, changes: dict[str, DiffKind], sets: frozenset[str], documents: frozenset[str]
) -> None:
    plain = _INDEX.sub("", path)
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys([*old, *new]):
            if not key.startswith("__"):
                _entry(join(path, key), old.get(key), new.get(key), changes, sets, documents)
    elif _is_list(old) and _is_list(new):
        before, after = _ordered(old, plain in sets), _ordered(new, plain in sets)
        for index in range(max(len(before), len(after))):
            left = before[index] if index < len(before) else None
            right = after[index] if index < len(after) else None
            _entry(f"{path}[{index}]", left, right, changes, sets, documents)
    elif not (_equal(old, new) or (plain in documents and same_document(old, new))):
        changes[path] = DiffKind.UPDATE


def _entry(
    path: str, old: Value, new: Value, changes: dict[str, DiffKind], sets: frozenset[str], documents: frozenset[str]
) -> None:
    if old is None and new is None:
        return
    if old is None or new is None:
        # An empty list or map where there was nothing is no change: the APIs do not tell them apart.
        present = new if old is None else old
        if isinstance(present, Sequence | Mapping) and not isinstance(present, str) and not present:
            return
        changes[path] = DiffKind.ADD if old is None else DiffKind.DELETE
    else:
        _compare(path, old, new, changes, sets, documents)


def _equal(old: Value, new: Value) -> bool:
    if isinstance(old, Unknown) or isinstance(new, Unknown) or isinstance(old, bool) != isinstance(new, bool):
        return False
    return bool(old == new)


def _is_list(value: Value) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _ordered(value: Value, unordered: bool) -> list[Value]:
    assert isinstance(value, Sequence)
    items: list[Value] = list(value)
    # `default=str`: unknowns and assets sort somewhere, always the same place.
    return sorted(items, key=lambda item: json.dumps(item, sort_keys=True, default=str)) if unordered else items
