"""A cloud's pieces of a tenant's workspace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components.contracts.cache_user import CacheUser, CacheUserArgs
from components.contracts.object_access import ObjectAccess, ObjectAccessArgs
from components.contracts.stored_secret import StoredSecret, StoredSecretArgs


@dataclass(frozen=True)
class TenantCloud:
    """A cloud's pieces of a tenant's workspace."""

    provider: Callable[[str, pulumi.Input[str], pulumi.Output[tuple[str, ...]]], pulumi.ProviderResource]
    """From a resource name, a region, and the accounts whose credentials it takes."""
    read_secret: Callable[[pulumi.Input[str], pulumi.ProviderResource], pulumi.Output[Mapping[str, Any]]]
    """The JSON behind a reference that a `StoredSecret` gave; the output is secret."""
    cache_user: Callable[[str, CacheUserArgs, pulumi.ResourceOptions], CacheUser]
    object_access: Callable[[str, ObjectAccessArgs, pulumi.ResourceOptions], ObjectAccess]
    stored_secret: Callable[[str, StoredSecretArgs, pulumi.ResourceOptions], StoredSecret]
