"""Builds an operation's parameters from properties, and checks them against botocore's service model."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from sandbox.providers.aws.context import Context
from sandbox.providers.aws.shapes import to_api
from sandbox.providers.aws.table import AwsType, Call
from sandbox.providers.interface import CheckFailure, ProviderError, Unknown


def parameters(context: Context, call: Call, values: Mapping[str, Any], *, into: dict[str, Any]) -> None:
    """Adds the parameters for every property of `call` that has a value."""
    shape = context.api.input_shape(context.entry.service, call.operation)
    for name, target in call.fields.items():
        if values.get(name) is not None and shape is not None:
            steps = target.split(".")
            encoded = to_api(member_shape(shape, steps), values[name], name, context.entry.renames)
            place = into
            for step in steps[:-1]:
                place = place.setdefault(step, {})
            place[steps[-1]] = encoded


def member_shape(shape: Shape, steps: list[str]) -> Shape:
    """The shape at a parameter path. Raises ProviderError for a table entry that the service model contradicts."""
    for step in steps:
        if isinstance(shape, MapShape):
            shape = shape.value
            continue
        if not isinstance(shape, StructureShape) or step not in shape.members:
            raise ProviderError(f"the API's {shape.name} has no {step}: the table is wrong")
        shape = shape.members[step]
    return shape


def refused(context: Context) -> Iterator[CheckFailure]:
    """What the service model says against the known inputs: enumerations, patterns, lengths and ranges."""
    entry: AwsType = context.entry
    seen: set[str] = set()
    for call in (entry.create, *entry.modifies):
        if not call.operation or not call.fields:
            continue
        shape = context.api.input_shape(entry.service, call.operation)
        for name, target in call.fields.items():
            value = context.inputs.get(name)
            if name in seen or value is None or unknown_within(value) or shape is None:
                continue
            seen.add(name)
            member = member_shape(shape, target.split("."))
            try:
                encoded = to_api(member, value, name, entry.renames)
            except ProviderError as error:
                yield CheckFailure(name, str(error))
                continue
            yield from _against(member, encoded, name)


def unknown_within(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(unknown_within(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(unknown_within(item) for item in value)
    return isinstance(value, Unknown)


def _against(shape: Shape, value: Any, path: str) -> Iterator[CheckFailure]:
    if isinstance(shape, StructureShape):
        for name in shape.required_members:
            if name not in value:
                yield CheckFailure(path, f"the API requires {name} in it")
        for name, item in value.items():
            yield from _against(shape.members[name], item, f"{path}.{name[0].lower()}{name[1:]}")
    elif isinstance(shape, ListShape):
        for index, item in enumerate(value):
            yield from _against(shape.member, item, f"{path}[{index}]")
    elif isinstance(shape, MapShape):
        for key, item in value.items():
            yield from _against(shape.value, item, f"{path}.{key}")
    else:
        reason = _scalar_failure(shape, value)
        if reason:
            yield CheckFailure(path, reason)


def _scalar_failure(shape: Shape, value: Any) -> str | None:
    secret = bool(shape.metadata.get("sensitive"))
    shown = "" if secret else f"; got {value!r}"
    if isinstance(value, str):
        allowed = shape.metadata.get("enum")
        if allowed and value not in allowed:
            return f"expected one of {', '.join(allowed)}{shown}"
        pattern = _pattern(str(shape.metadata["pattern"])) if shape.metadata.get("pattern") else None
        if pattern is not None and not pattern.fullmatch(value):
            return f"does not match the API's pattern {pattern.pattern}{shown}"
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        if (low is not None and len(value) < low) or (high is not None and len(value) > high):
            return f"has {len(value)} characters; the API takes {low or 0} to {high or 'any number'}"
    elif isinstance(value, int | float) and not isinstance(value, bool):
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        if (low is not None and value < low) or (high is not None and value > high):
            return f"the API takes {low if low is not None else '...'} to {high if high is not None else '...'}{shown}"
    return None


@lru_cache(maxsize=256)
def _pattern(text: str) -> re.Pattern[str] | None:
    try:
        return re.compile(text, re.DOTALL)
    except re.error:  # Java's regular expressions know more (\p{L}); the API itself will say
        return None
