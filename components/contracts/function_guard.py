"""A function's place in the private network: what it may reach there, and who it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import pulumi

from components.contracts.place import Place
from components.tags import Ownership


@dataclass(frozen=True)
class FunctionGuardArgs:
    """A function's place in the private network: what it may reach there, and who it is."""

    ownership: Ownership
    place: Place
    function_name: str
    network_id: pulumi.Input[str]
    data_cidrs: tuple[str, ...]
    """Where its databases are."""


class FunctionGuard(Protocol):
    security_group_id: pulumi.Output[str]
    """What a database has to let in."""
    role: pulumi.Output[str]
    """Reference to what the function works as, which may attach it to the network."""
    role_name: pulumi.Output[str]
