"""The function that takes billing events."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import pulumi

from components.contracts.place import Place
from components.tags import Ownership


@dataclass(frozen=True)
class BillingWebhookArgs:
    """The function that takes billing events."""

    ownership: Ownership
    place: Place
    function_name: str
    archive: Path
    """What `services.package` built for `architecture` and `runtime`."""
    handler: str
    architecture: Literal["arm64", "x86_64"]
    runtime: str
    livemode: bool
    subnet_ids: tuple[pulumi.Input[str], ...]
    """Private subnets with a way out: the function asks the secret manager."""
    security_group_id: pulumi.Input[str]
    role: pulumi.Input[str]
    role_name: pulumi.Input[str]
    """All of its `FunctionGuard`."""
    database_secret: pulumi.Input[str]
    """Reference to JSON: host, port, database, username, password."""
    database_key: pulumi.Input[str]
    """The key that encrypts it (AWS: its ARN)."""
    authority: str
    """Path, in the archive, of the certificates that vouch for the database's server."""
    log_retention_days: int
    concurrency: int
    """Calls at a time at most, each with a connection to the control database. What is more is sent again by Stripe."""
    recovery_days: int
    """How long a deleted signing secret can be brought back; 0 deletes at once."""
    alarm_topics: tuple[pulumi.Input[str], ...] = ()
    """Topics that the cloud's alarms may publish to."""


class BillingWebhook(Protocol):
    """A public address for Stripe, and the secret that its signatures are checked by."""

    url: pulumi.Output[str]
    signing_secret: pulumi.Output[str]
    """Reference into the cloud's secret manager; made without a value."""
