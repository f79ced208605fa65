"""Who the runner is for a cloud."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import pulumi

from components.contracts.place import Place
from components.tags import Ownership


@dataclass(frozen=True)
class TenantPrefixes:
    """What the names of all that tenants of one cell have in the cloud begin with, and nothing else's."""

    role: str
    cache_user: str
    secret: str


@dataclass(frozen=True)
class RunnerIdentityArgs:
    """What lets the runner build, change, suspend and destroy the tenants of its cell."""

    ownership: Ownership
    place: Place
    role_name: str
    oidc_issuer: pulumi.Input[str]
    oidc_provider: pulumi.Input[str]
    service_account: tuple[str, str]
    """Namespace and service account that the runner runs as."""
    cluster_name: pulumi.Input[str]
    group: str
    """The Kubernetes group that it logs in with."""
    project: str
    cell: str
    """The platform's stack, whose state it reads."""
    backend: str
    """Where the state of the project's stacks is kept, as the engine is told."""
    secrets_key: str
    """The key that encrypts secrets in the state (AWS: its ARN)."""
    database_secrets: tuple[pulumi.Input[str], ...]
    """References to the ways into the databases and the cache that it works in."""
    bucket: pulumi.Input[str]
    """The bucket of tenants' objects (AWS: its ARN)."""
    objects: str
    """What the keys of all tenants' objects begin with."""
    tenants: TenantPrefixes
    boundary: pulumi.Input[str]
    """Of the cell's `TenantBoundary`: the runner makes no role that goes beyond it."""
    cache_user_group: pulumi.Input[str]


class RunnerIdentity(Protocol):
    """Who the runner is for its cloud and its cluster."""

    service_account_annotations: pulumi.Output[Mapping[str, str]]
    """What the runner's service account must carry to be given its role."""
    environment: Mapping[str, str]
    """What the cloud's tools want to know."""
