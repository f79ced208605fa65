"""A record in a cloud's secret manager."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import pulumi

from components.tags import Ownership


@dataclass(frozen=True)
class StoredSecretArgs:
    """A record in the cloud's secret manager."""

    ownership: Ownership
    secret_name: str
    description: str
    value: pulumi.Input[Mapping[str, Any]]
    """Stored as JSON."""
    key: pulumi.Input[str] | None
    """The key that encrypts it; None is the cloud's default key for secrets."""
    recovery_days: int
    """How long a deleted secret can be brought back; 0 deletes at once."""


class StoredSecret(Protocol):
    reference: pulumi.Output[str]
