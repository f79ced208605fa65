"""From what an API says to properties: typed by the SDK, and compared with what a program wrote by meaning."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import jmespath

from sandbox.providers.aws.context import Context
from sandbox.providers.aws.shapes import to_pulumi
from sandbox.providers.aws.table import AwsType
from sandbox.providers.interface import Unknown
from sandbox.providers.property_diff import same_document
from sandbox.providers.sdk_source import ListOf, OneOf, Reference, Type
from sandbox.providers.typed import ResourceType


def wire_values(context: Context, fields: Mapping[str, str], record: Any) -> dict[str, Any]:
    """The properties that `fields` (property -> JMESPath) find in a record, without those that it does not have."""
    known = context.sdk.outputs(context.entry.token)
    found: dict[str, Any] = {}
    for name, expression in fields.items():
        value = jmespath.search(expression, record)
        if value is not None:
            found[name] = to_pulumi(context.sdk, known[name].type, value, name, context.entry.renames)
    return found


def settled(context: Context, name: str, wanted: Any, seen: Any) -> Any:
    """`seen`, or `wanted` where it means the same: a JSON text in another layout, a set in another order."""
    if wanted is None or isinstance(wanted, Unknown):
        return seen
    if name in context.entry.documents and same_document(wanted, seen):
        return wanted
    if name in context.entry.sets and _sorted(wanted) == _sorted(seen):
        return wanted
    return seen


def merged(context: Context, name: str, wanted: Any, seen: Any) -> Any:
    """`wanted` with what was seen of it: an object keeps to the keys that the program gave, at every depth."""
    known = context.sdk.inputs(context.entry.token)
    if wanted is None or seen is None or name not in known:
        return seen
    return _merged(context, known[name].type, name, wanted, seen)


def _merged(context: Context, type: Type, path: str, wanted: Any, seen: Any) -> Any:
    kept = settled(context, path, wanted, seen)
    if kept is wanted or kept == wanted:
        return wanted
    if isinstance(type, OneOf):
        return seen
    if isinstance(type, ListOf) and isinstance(wanted, list) and isinstance(seen, list):
        if len(wanted) != len(seen):
            return seen
        if path in context.entry.sets:  # pairs them by likeness: equal keys first
            seen = _paired(wanted, seen)
        return [_merged(context, type.item, path, w, s) for w, s in zip(wanted, seen, strict=True)]
    if isinstance(type, Reference) and isinstance(wanted, Mapping) and isinstance(seen, Mapping):
        nested = context.sdk.nested(type)
        assert isinstance(nested, Mapping)
        return {
            key: _merged(context, nested[key].type, f"{path}.{key}", item, seen[key])
            if seen.get(key) is not None and key in nested and item is not None
            else item
            for key, item in wanted.items()
        }
    return seen


def _paired(wanted: list[Any], seen: list[Any]) -> list[Any]:
    rest, paired = list(seen), []
    for item in wanted:
        best = max(rest, key=lambda other: _likeness(item, other))
        rest.remove(best)
        paired.append(best)
    return paired


def _likeness(left: Any, right: Any) -> int:
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return sum(_sorted(left[key]) == _sorted(right.get(key)) for key in left)
    return int(left == right)


def grown(entry: ResourceType, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> dict[str, Any]:
    """What the service has raised by itself as far as these inputs let it, by name; the state tells how far."""
    found: dict[str, Any] = {}
    for name, limit in entry.grows.items() if isinstance(entry, AwsType) else ():
        wanted, there, most = (_number(value) for value in (inputs.get(name), outputs.get(name), inputs.get(limit)))
        if wanted is not None and there is not None and most is not None and wanted < min(there, most):
            found[name] = outputs[name]
    return found


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) else None


def found_inputs(context: Context, given: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs as a program would write them: the program's own where nothing drifted; all that tells, for an import."""
    known = context.sdk.inputs(context.entry.token)
    own: dict[str, Any] = {n: v for n, v in context.entry.defaults.items() if not given}
    for name, value in given.items():
        seen = None if name in context.entry.placed else found.get(name)
        if seen is None and value and name in context.entry.told:
            continue
        own[name] = value if seen is None else merged(context, name, value, seen)
    for name, value in found.items():
        if name in known and name not in given and _tells(context, name, value, imported=not given):
            own[name] = _telling(value)
    return {name: value for name, value in own.items() if value is not None}


def _tells(context: Context, name: str, value: Any, *, imported: bool) -> bool:
    entry = context.entry
    if name in entry.placed or (entry.served is not None and name not in entry.served):
        return False
    if not imported and name in entry.computed:
        return False
    default = entry.defaults.get(name)
    return bool(value != default if default is not None else value)


def _telling(value: Any) -> Any:
    """The same without members that say nothing (false, empty), which a program would leave out."""
    if isinstance(value, Mapping):
        return {k: _telling(v) for k, v in value.items() if v or (isinstance(v, int) and not isinstance(v, bool))}
    return [_telling(item) for item in value] if isinstance(value, list) else value


def _sorted(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return sorted((_sorted(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True, default=str))
    return value
