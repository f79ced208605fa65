"""Tags of AWS resources: each service has its own operations and its own form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jmespath

from sandbox.providers.aws.api import ApiError
from sandbox.providers.aws.context import Context
from sandbox.providers.aws.table import Tags
from sandbox.providers.interface import Unknown


def form(tags: Tags, wanted: Mapping[str, str]) -> Any:
    """Tags as the service's requests want them."""
    if tags.as_map:
        return dict(wanted)
    return [{tags.key_name: key, tags.value_name: value} for key, value in wanted.items()]


def create_parameters(context: Context) -> dict[str, Any]:
    """What the create operation is sent for tags."""
    tags, wanted = context.entry.tags, context.inputs.get("tags") or {}
    if tags is None or not wanted:
        return {}
    if tags.specification:
        return {"TagSpecifications": [{"ResourceType": tags.specification, "Tags": form(tags, wanted)}]}
    return {tags.in_create: form(tags, wanted)} if tags.in_create else {}


def apply(context: Context, before: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    """Changes the tags from `before` to `wanted`."""
    tags = context.entry.tags
    if tags is None or dict(before) == dict(wanted):
        return
    gone = sorted(set(before) - set(wanted))
    target = context.fill(tags.target)
    if tags.whole:
        if wanted:
            context.call(tags.tag, **target, **_nested(tags.tags, form(tags, wanted)))
        else:
            context.call(tags.untag, **target)
        return
    if gone:
        keys: Any = [{tags.key_name: key} for key in gone] if tags.keys_as_tags else gone
        context.call(tags.untag, **target, **{tags.keys: keys})
    changed = {key: value for key, value in wanted.items() if before.get(key) != value}
    if changed:
        context.call(tags.tag, **target, **{tags.tags: form(tags, changed)})


def _nested(path: str, value: Any) -> dict[str, Any]:
    first, _, rest = path.partition(".")
    return {first: _nested(rest, value) if rest else value}


def observed(context: Context, record: Mapping[str, Any]) -> dict[str, str]:
    """The tags that the resource has, without AWS's own."""
    tags = context.entry.tags
    assert tags is not None
    source: Any = record
    if tags.read_operation:
        try:
            source = context.call(tags.read_operation, **context.fill(tags.target))
        except ApiError as error:
            if error.code not in tags.untagged:
                raise
            source = {}
    found = jmespath.search(tags.read, source) or {}
    plain = found if isinstance(found, Mapping) else {tag[tags.key_name]: tag.get(tags.value_name, "") for tag in found}
    return {str(key): str(value) for key, value in plain.items() if not str(key).startswith("aws:")}


def with_defaults(defaults: Mapping[str, str], given: Any) -> Any:
    """A resource's tags over the provider's `defaultTags`; in place of an unknown map nothing can be merged."""
    if isinstance(given, Unknown) or not isinstance(given, Mapping | None):
        return given
    return {**defaults, **(given or {})}
