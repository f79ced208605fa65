"""Whose a resource is, and who pays for it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from policies.rules import UNKNOWN, Finding, Findings, Planned, Settings, Unknown

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
        metadata = resource.properties.get("metadata") or {}
        labels = UNKNOWN if metadata is UNKNOWN else metadata.get("labels")
        yield from _missing("metadata.labels", (labels,), [_label(tag) for tag in required])
    elif resource.type in taggable_types():
        yield from _missing("tags", (resource.properties.get("tags"), _default_tags(resource.provider)), required)


def _label(tag: str) -> str:
    return "app.kubernetes.io/managed-by" if tag == "managed-by" else LABEL_DOMAIN + tag


def _missing(path: str, sources: Sequence[Any], required: Sequence[str]) -> Iterator[Finding]:
    found = [pairs for source in sources if (pairs := _pairs(source)) is not None]
    for tag in required:
        values = [UNKNOWN if pairs is UNKNOWN else pairs.get(tag) for pairs in found]
        if any(value is not UNKNOWN and value not in (None, "") for value in values):
            continue
        if UNKNOWN in values:
            yield Finding(path, f"`{tag}` may be missing", certain=False)
        else:
            yield Finding(path, f"lacks `{tag}`" if all(v is None for v in values) else f"has an empty `{tag}`")


def _pairs(tags: Any) -> Mapping[str, Any] | Unknown | None:
    """Tags as a mapping; some types take a list of `{key, value}` instead (autoscaling groups)."""
    if tags is UNKNOWN or tags is None or isinstance(tags, Mapping):
        return tags
    if not isinstance(tags, Sequence) or any(tag is UNKNOWN for tag in tags):
        return UNKNOWN
    return {str(tag.get("key")): tag.get("value") for tag in tags}


def _default_tags(provider: Mapping[str, Any]) -> Any:
    """`defaultTags.tags` of an AWS provider, whose nested configuration is JSON text."""
    value = provider.get("defaultTags")
    if isinstance(value, str):
        value = json.loads(value)
    return value.get("tags") if isinstance(value, Mapping) else value
