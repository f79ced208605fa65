"""Where a platform's program makes things, and what everything that it makes is given."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.contracts.place import Place
from components.contracts.platform import PlatformCloud
from components.naming import physical_name
from components.tags import Ownership

NAME_LIMIT = 40
"""The shortest limit among the services that are named after the cell: an ElastiCache replication group's."""


@dataclass(frozen=True)
class Site:
    """A cell's place in a cloud."""

    cloud: PlatformCloud
    cell: str
    """The stack's name."""
    ownership: Ownership
    place: Place
    opts: pulumi.ResourceOptions
    """Of what is made by the cloud's own provider."""
    recovery_days: int
    """How long a deleted secret can be brought back; 0 deletes at once."""

    def named(self, *parts: str) -> str:
        """A physical name in the cell, at most 40 characters long."""
        return physical_name(self.ownership.product, self.cell, *parts, limit=NAME_LIMIT)
