"""The most that tenants' roles may be allowed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import pulumi

from components.tags import Ownership


@dataclass(frozen=True)
class TenantBoundaryArgs:
    """The most that a tenant's role may be allowed."""

    ownership: Ownership
    policy_name: str
    bucket: pulumi.Input[str]
    key: pulumi.Input[str]
    prefix: str
    """What the objects of all tenants start with; ends in a slash."""


class TenantBoundary(Protocol):
    reference: pulumi.Output[str]
    """What a role is given to keep within it (AWS: the policy's ARN)."""
