"""A managed Redis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import pulumi

from components.contracts.place import Place
from components.tags import Ownership


@dataclass(frozen=True)
class RedisArgs:
    """A managed Redis over TLS, whose users come from a user group."""

    ownership: Ownership
    place: Place
    identifier: str
    version: str
    machine_type: str
    replicas: int
    """Copies beside the primary; 1 or more fail over automatically to another zone."""
    snapshot_retention_days: int
    network_id: pulumi.Input[str]
    subnet_ids: tuple[pulumi.Input[str], ...]
    client_security_groups: Mapping[str, pulumi.Input[str]]
    tenants_keys: str
    """What the keys of all tenants begin with."""
    protect: bool
    alarm_topics: tuple[pulumi.Input[str], ...] = ()
    """Topics that the cloud's alarms may publish to."""


class Redis(Protocol):
    """Where a Redis is and where its users are declared."""

    identifier: pulumi.Output[str]
    host: pulumi.Output[str]
    port: pulumi.Output[int]
    user_group: pulumi.Output[str]
    admin_secret: pulumi.Output[str]
    sweeper_secret: pulumi.Output[str]
    """Of a user that can list and remove tenants' keys, and nothing else."""
