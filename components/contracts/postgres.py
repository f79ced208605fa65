"""A managed Postgres server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import pulumi

from components.contracts.place import Place
from components.tags import Ownership


@dataclass(frozen=True)
class PostgresArgs:
    """A managed Postgres server that only the private network reaches."""

    ownership: Ownership
    place: Place
    identifier: str
    database: str
    version: str
    machine_type: str
    storage_gib: int
    storage_limit_gib: int
    highly_available: bool
    backup_retention_days: int
    network_id: pulumi.Input[str]
    subnet_ids: tuple[pulumi.Input[str], ...]
    client_security_groups: Mapping[str, pulumi.Input[str]]
    """Who may connect: a stable key for each security group."""
    protect: bool
    parameters: Mapping[str, str] = field(default_factory=dict)
    client_cidrs: tuple[str, ...] = ()
    """Private networks that may connect as well."""
    alarm_topics: tuple[pulumi.Input[str], ...] = ()
    """Topics that the cloud's alarms may publish to."""
    major_upgrade: bool = False
    """Whether `version` may be a later one than the server's. What is changed is then done at once, and not in the next
    window of maintenance; there is no way back."""


class Postgres(Protocol):
    """Where a Postgres server is, and where its administrator's password is kept."""

    identifier: pulumi.Output[str]
    host: pulumi.Output[str]
    port: pulumi.Output[int]
    database: str
    username: str
    password: pulumi.Output[str]
    """Secret."""
    admin_secret: pulumi.Output[str]
    """Reference into the cloud's secret manager, not a secret itself."""
    admin_key: pulumi.Output[str]
    """The key that encrypts it (AWS: its ARN)."""


def login_record(
    host: pulumi.Input[str],
    port: pulumi.Input[int],
    database: str,
    username: str,
    password: pulumi.Input[str],
) -> Mapping[str, pulumi.Input[str | int]]:
    """What the secret manager keeps of a login, the administrator's or a service's: all that connecting takes."""
    return {
        "host": host,
        "port": port,
        "database": database,
        "username": username,
        "password": password,
        "sslmode": "require",
    }
