"""What a function in the private network may reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import pulumi

from components.tags import Ownership


@dataclass(frozen=True)
class FunctionGuardArgs:
    """What a function in the private network may reach."""

    ownership: Ownership
    function_name: str
    network_id: pulumi.Input[str]
    data_cidrs: tuple[str, ...]
    """Where its databases are."""


class FunctionGuard(Protocol):
    security_group_id: pulumi.Output[str]
    """What a database has to let in."""
