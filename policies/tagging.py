"""Whose a resource is, and who pays for it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, Final

from policies.rules import UNKNOWN, Finding, Findings, Planned, Settings, Unknown, as_list, as_object

NAMESPACE: Final = "kubernetes:core/v1:Namespace"
TENANT: Final = "tenant"
LABEL_DOMAIN: Final = "freehold.dev/"


@cache
def taggable_types() -> frozenset[str]:
    """The AWS types that take `tags`, as the installed SDK says (`python -m policies.taggable` writes the list)."""
    text = (Path(__file__).parent / "taggable_types.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))


def required_tags(resource: Planned, settings: Settings) -> Findings:
    """The tags of the settings are there and not empty, `tenant` too in a tenant's stack.

    On AWS the provider's default tags count as well. In Kubernetes namespaces carry the labels, which is where cost
    is counted; the manager's label there is Kubernetes' own `app.kubernetes.io/managed-by`.
    """
    required: list[str] = list(settings["tags"])
    if resource.in_tenant_stack:
        required.append(TENANT)
    if resource.type == NAMESPACE:
        metadata = as_object(resource.properties.get("metadata"))
        labels = UNKNOWN if isinstance(metadata, Unknown) else as_object(metadata.get("labels"))
        yield from _missing("metadata.labels", (labels,), [_label(tag) for tag in required])
    elif resource.type in taggable_types():
        yield from _missing("tags", (resource.properties.get("tags"), _default_tags(resource.provider)), required)


def _label(tag: str) -> str:
    return "app.kubernetes.io/managed-by" if tag == "managed-by" else LABEL_DOMAIN + tag


def _missing(path: str, sources: Sequence[Any], required: Sequence[str]) -> Iterator[Finding]:
    found = [pairs for source in sources if (pairs := _pairs(source)) is not None]
    verdicts = {tag: _verdict([UNKNOWN if pairs is UNKNOWN else pairs.get(tag) for pairs in found]) for tag in required}
    for verdict in dict.fromkeys(verdicts.values()):
        if verdict is not None:
            concerned = ", ".join(f"`{tag}`" for tag in required if verdicts[tag] is verdict)
            yield Finding(path, f"{verdict.value} {concerned}", certain=verdict is not _Verdict.UNKNOWN)


class _Verdict(Enum):
    MISSING = "lacks"
    EMPTY = "has no value for"
    UNKNOWN = "may lack"


def _verdict(values: Sequence[Any]) -> _Verdict | None:
    """What is wrong with one tag, given its value in each place where it can be; None where all is well."""
    if any(value is not UNKNOWN and value not in (None, "") for value in values):
        return None
    if UNKNOWN in values:
        return _Verdict.UNKNOWN
    return _Verdict.MISSING if all(value is None for value in values) else _Verdict.EMPTY


def _pairs(tags: Any) -> Mapping[str, Any] | Unknown | None:
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
