"""Builds planned resources for the policies' tests, and runs one policy of the table on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from policies.rules import Finding, Planned
from policies.table import POLICIES


def planned(
    type: str,
    name: str = "thing",
    /,
    *,
    stack: str = "prod",
    provider: Mapping[str, Any] | None = None,
    links: Mapping[str, Sequence[str]] | None = None,
    **properties: Any,
) -> Planned:
    """A resource as the engine would send it; keyword arguments are its properties by wire name."""
    return Planned(type, urn(type, name, stack), name, properties, provider or {}, links or {})


def urn(type: str, name: str, stack: str = "prod") -> str:
    return f"urn:pulumi:{stack}::freehold::{type}::{name}"


def findings(policy: str, *resources: Planned, settings: Mapping[str, Any] | None = None) -> list[Finding]:
    """What a policy of the table says, with its default settings but for those given."""
    (row,) = [row for row in POLICIES if row.name == policy]
    chosen = row.defaults() | dict(settings or {})
    if row.stack is not None:
        return list(row.stack(resources, chosen))
    assert row.resource is not None
    return [
        finding
        for resource in resources
        if not row.types or resource.type in row.types
        for finding in row.resource(resource, chosen)
    ]


def certain(found: Sequence[Finding]) -> bool:
    """Whether there is something and all of it is certain."""
    return bool(found) and all(finding.certain for finding in found)


def undecided(found: Sequence[Finding]) -> bool:
    """Whether there is something and none of it is certain."""
    return bool(found) and not any(finding.certain for finding in found)
