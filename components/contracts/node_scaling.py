"""The right to change the number of a cluster's nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pulumi

from components.contracts.place import Place
from components.tags import Ownership


@dataclass(frozen=True)
class NodeScalingArgs:
    """What lets one service account of a cluster change the number of its nodes."""

    ownership: Ownership
    place: Place
    physical_name: str
    """The cluster's, known before it is made."""
    cluster_name: pulumi.Input[str]
    oidc_issuer: pulumi.Input[str]
    oidc_provider: pulumi.Input[str]
    service_account: tuple[str, str]
    """Namespace and name."""


class NodeScaling(Protocol):
    """What a node autoscaler is told by its cloud."""

    service_account_annotations: pulumi.Output[Mapping[str, str]]
    arguments: Sequence[pulumi.Output[str]]
    environment: Mapping[str, str]
