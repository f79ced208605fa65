"""A private network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import pulumi

from components.contracts.place import Place
from components.tags import Ownership


@dataclass(frozen=True)
class NetworkArgs:
    """A private network over `zones`, each with a public, a private and a data subnet."""

    ownership: Ownership
    place: Place
    network_name: str
    cidr: str
    """IPv4 network, /16 to /20."""
    zones: tuple[str, ...]
    """Names of availability zones, in the order in which they get their subnets."""
    nat_per_zone: bool
    """One way out for each zone, which survives the loss of a zone; otherwise one for all."""
    log_retention_days: int


class Network(Protocol):
    """What the other components need of a network."""

    network_id: pulumi.Output[str]
    public_subnet_ids: list[pulumi.Output[str]]
    private_subnet_ids: list[pulumi.Output[str]]
    data_subnet_ids: list[pulumi.Output[str]]
    data_cidrs: list[str]
