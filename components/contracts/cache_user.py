"""One tenant's user in a shared Redis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import pulumi

from components.tags import Ownership


@dataclass(frozen=True)
class CacheUserArgs:
    """One tenant's user in a shared Redis."""

    ownership: Ownership
    user_id: str
    username: str
    prefix: str
    """What the user's keys and channels start with."""
    user_group: pulumi.Input[str]
    suspended: bool = False
    """The user is there with its keys, and nobody may log in as it."""


class CacheUser(Protocol):
    username: str
    password: pulumi.Output[str]
    """Secret."""
