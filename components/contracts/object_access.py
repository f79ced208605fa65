"""The right to one prefix of a bucket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import pulumi

from components.tags import Ownership


@dataclass(frozen=True)
class ObjectAccessArgs:
    """The right to one prefix of a bucket, for named Kubernetes service accounts only."""

    ownership: Ownership
    role_name: str
    bucket: pulumi.Input[str]
    key: pulumi.Input[str]
    prefix: str
    """Ends in a slash."""
    oidc_issuer: pulumi.Input[str]
    oidc_provider: pulumi.Input[str]
    service_accounts: tuple[tuple[str, str], ...]
    """Pairs of namespace and service account."""
    suspended: bool = False
    """Nobody may take the role, and whoever has taken it may do nothing more."""
    boundary: pulumi.Input[str | None] = None
    """Of the cell's `TenantBoundary`."""


class ObjectAccess(Protocol):
    role: pulumi.Output[str]
    service_account_annotations: pulumi.Output[Mapping[str, str]]
    """What a service account must carry to be given the role."""
