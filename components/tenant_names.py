"""The physical names of what a tenant has in its cell's cloud."""

from __future__ import annotations

from catalog import identifiers
from components.contracts.runner_identity import TenantPrefixes
from components.naming import distinct_name, distinct_prefix

# The limits of IAM and of ElastiCache.
_ROLE_LIMIT, _CACHE_USER_LIMIT = 64, 40


def role(product: str, cell: str, tenant: str) -> str:
    """The role that reaches the tenant's objects."""
    return distinct_name(product, cell, "t", tenant, limit=_ROLE_LIMIT)


def cache_user(cell: str, tenant: str) -> str:
    """The id of its Redis user, which is not what it logs in as.

    The product is no part of it, and ids are unique in an account and region: so there is one product in each
    (docs/limits.md). Another id would be another user of the same name, which a user group does not take beside the
    first.
    """
    return distinct_name(cell, identifiers.redis_user(tenant), limit=_CACHE_USER_LIMIT)


def connections(product: str, cell: str, tenant: str) -> str:
    """The secret that tells where its data is."""
    return f"{_secrets(product, cell)}{tenant}/connections"


def prefixes(product: str, cell: str) -> TenantPrefixes:
    """What the names of all tenants of the cell begin with."""
    return TenantPrefixes(
        role=distinct_prefix(product, cell, "t", limit=_ROLE_LIMIT),
        cache_user=distinct_prefix(cell, "t", limit=_CACHE_USER_LIMIT),
        secret=_secrets(product, cell),
    )


def _secrets(product: str, cell: str) -> str:
    return f"{product}/{cell}/tenants/"
