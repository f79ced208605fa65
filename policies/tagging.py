"""Whose a resource is, and who pays for it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, Final

from policies.levels import ENVIRONMENTS, cell_of, environment_of
from policies.rules import UNKNOWN, Finding, Findings, Planned, Settings, Unknown, as_list, as_object
from policies.templates import CONTROL

NAMESPACE: Final = "kubernetes:core/v1:Namespace"
TENANT: Final = "tenant"
CELL: Final = "cell"
LABEL_DOMAIN: Final = "freehold.dev/"
AUTOSCALING_GROUP: Final = "aws:autoscaling/group:Group"
_Tags = Mapping[str, Any] | Unknown | None


@cache
def taggable_types() -> frozenset[str]:
    """The AWS types that take `tags`, as the installed SDK says (`python -m policies.taggable` writes the list)."""
    text = (Path(__file__).parent / "taggable_types.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))


def required_tags(resource: Planned, settings: Settings) -> Findings:
    """The tags of the settings are there and not empty, `tenant` too in a tenant's stack. Tenant and environment are
    those of the stack: rights go by them, and a budget by environment counts what is marked so and nothing else. A
    stack that is called after no environment may serve any. A cell may be left out; told, it is the stack's own, for a
    budget may go by that as well.

    On AWS the provider's default tags count where the resource has none of that key, but for autoscaling groups:
    docs.hashicorp.com/terraform/tutorials/aws/aws-default-tags. In Kubernetes namespaces carry the labels, which is
    where cost is counted; the manager's label there is Kubernetes' own `app.kubernetes.io/managed-by`.
    """
    required: dict[str, str | None] = dict.fromkeys(settings["tags"])
    environment = environment_of(resource.stack)
    if "environment" in required and (resource.in_tenant_stack or environment in ENVIRONMENTS):
        required["environment"] = environment
    if resource.in_tenant_stack:
        required[TENANT] = resource.stack.split(".", 2)[-1]
    if resource.type == NAMESPACE:
        metadata = as_object(resource.properties.get("metadata"))
        labels = UNKNOWN if isinstance(metadata, Unknown) else as_object(metadata.get("labels"))
        yield from _missing("metadata.labels", labels, None, {_label(tag): value for tag, value in required.items()})
    elif resource.type in taggable_types():
        default = None if resource.type == AUTOSCALING_GROUP else _default_tags(resource.provider)
        own = resource.properties.get("tags")
        if environment in ENVIRONMENTS and isinstance(_value(CELL, _pairs(own), _pairs(default)), str):
            required[CELL] = cell_of(resource.stack)
        yield from _missing("tags", own, default, required)
    elif resource.type == CONTROL:
        yield Finding("desiredState", "may lack tags, which have another form there for each kind", certain=False)


def _label(tag: str) -> str:
    return "app.kubernetes.io/managed-by" if tag == "managed-by" else LABEL_DOMAIN + tag


def _missing(path: str, own: Any, default: Any, required: Mapping[str, str | None]) -> Iterator[Finding]:
    """`required` has the value that a tag must have, or None where any will do."""
    tags, others = _pairs(own), _pairs(default)
    verdicts = {tag: _verdict(_value(tag, tags, others), wanted) for tag, wanted in required.items()}
    for verdict in dict.fromkeys(verdicts.values()):
        if verdict is not None:
            concerned = ", ".join(f"`{tag}`" for tag in required if verdicts[tag] is verdict)
            yield Finding(path, f"{verdict.value} {concerned}", certain=verdict is not _Verdict.UNKNOWN)


def _value(tag: str, own: _Tags, default: _Tags) -> Any:
    """A resource's own tag goes before the provider's default one, also where it is empty."""
    for tags in (own, default):
        if isinstance(tags, Unknown):
            return UNKNOWN
        if tags is not None and tags.get(tag) is not None:
            return tags[tag]
    return None


class _Verdict(Enum):
    MISSING = "lacks"
    EMPTY = "has no value for"
    OTHER = "has not the stack's own"
    UNKNOWN = "may lack"


def _verdict(value: Any, wanted: str | None) -> _Verdict | None:
    """What is wrong with one tag; None where all is well."""
    if value is UNKNOWN:
        return _Verdict.UNKNOWN
    if value is None:
        return _Verdict.MISSING
    if not str(value).strip():
        return _Verdict.EMPTY
    return _Verdict.OTHER if wanted is not None and value != wanted else None


def _pairs(tags: Any) -> _Tags:
    """Tags as a mapping; some types take a list of `{key, value}` instead (autoscaling groups)."""
    if tags is UNKNOWN or tags is None or isinstance(tags, Mapping):
        return tags
    listed = as_list(tags)
    if isinstance(listed, Unknown) or UNKNOWN in listed:
        return UNKNOWN
    return {str(tag.get("key")): tag.get("value") for tag in listed if isinstance(tag, Mapping)}


def _default_tags(provider: Mapping[str, Any]) -> Any:
    """`defaultTags.tags` of an AWS provider, whose nested configuration is JSON text."""
    value = provider.get("defaultTags")
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    return value.get("tags") if isinstance(value, Mapping) else value
