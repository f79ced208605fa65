"""The way of budget alerts to the notifier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import pulumi

from components.contracts.place import Place
from components.tags import Ownership


@dataclass(frozen=True)
class NotifierArgs:
    """How budget alerts reach the notifier."""

    ownership: Ownership
    place: Place
    queue_name: str
    topic: pulumi.Input[str]
    """Where the budget's alerts are published."""
    secret_name: str
    recovery_days: int
    """How long the deleted secret of the sinks can be brought back; 0 deletes at once."""
    role_name: str
    oidc_issuer: pulumi.Input[str]
    oidc_provider: pulumi.Input[str]
    service_account: tuple[str, str]
    """Namespace and service account that the notifier runs as."""
    database_secret: pulumi.Input[str]
    """Reference to the way into the control database."""


class Notifier(Protocol):
    """A queue with the alerts, one for what cannot be delivered, and the secret that says where they are sent."""

    queue: pulumi.Output[str]
    """The cloud's own identity of the queue (AWS: its ARN)."""
    queue_url: pulumi.Output[str]
    dead_letter_queue: pulumi.Output[str]
    dead_letter_queue_url: pulumi.Output[str]
    sinks_secret: pulumi.Output[str]
    """Reference into the cloud's secret manager; made without a value."""
    service_account_annotations: pulumi.Output[Mapping[str, str]]
    """What the notifier's service account must carry to be given its role."""
