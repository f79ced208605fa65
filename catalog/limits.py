"""How much of what the clouds limit a cell has. docs/limits.md tells the sources, and how to raise them."""

from __future__ import annotations

from typing import Final

CACHE_USERS_MAXIMUM: Final = 100
"""Users in one user group of ElastiCache, unless the account's quota was raised (L-943F0F1C)."""
CACHE_USERS_OF_THE_PLATFORM: Final = 3
"""The one called `default`, which is off, the administrator, and who removes the keys of deleted tenants."""
POD_SECONDS_TO_END: Final = 600
"""How long a tenant's pod may take to end: what the cluster autoscaler waits unless told otherwise
(`--max-graceful-termination-sec`), and less than EKS waits for a node that it updates."""


def tenants_maximum(cache_users: int = CACHE_USERS_MAXIMUM) -> int:
    """How many tenants of the bridge tier a cell can hold: each has a user in the shared cache."""
    return cache_users - CACHE_USERS_OF_THE_PLATFORM
