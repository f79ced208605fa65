"""A managed Kubernetes cluster and its nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import pulumi

from components.contracts.place import Place
from components.tags import Ownership


@dataclass(frozen=True)
class NodePool:
    """How many machines of which kinds a cluster runs."""

    minimum: int
    maximum: int
    machine_types: tuple[str, ...]
    disk_gib: int


@dataclass(frozen=True)
class RunningNodes:
    """A group of nodes as the cloud has it now."""

    minimum: int
    maximum: int
    desired: int
    """How many the autoscaler wants; AWS may tell it a little late."""
    machine_types: tuple[str, ...]


@dataclass(frozen=True)
class ClusterArgs:
    """A managed Kubernetes cluster in private subnets."""

    ownership: Ownership
    place: Place
    name: str
    kubernetes_version: str
    network_id: pulumi.Input[str]
    subnet_ids: tuple[pulumi.Input[str], ...]
    service_cidr: str
    public_cidrs: tuple[str, ...]
    """Who may reach the API server from outside; empty closes the public endpoint."""
    admins: tuple[str, ...]
    """Principals who administer the cluster (AWS: IAM ARNs)."""
    nodes: NodePool
    log_retention_days: int
    protect: bool
    operator_cidrs: tuple[str, ...] = ()
    """Private networks, beside the cluster's own nodes, that reach the API server's private addresses."""
    extended_support: bool = True
    """What comes after the cloud's standard support of the version: true keeps it, for a fee; false lets the cloud move
    the cluster to the next one, at a time of its own."""
    running: tuple[RunningNodes, ...] = ()
    """The groups of its nodes that there are before the program runs: none at the first run, two while one replaces
    another."""


class Cluster(Protocol):
    """What programs need to work in a cluster and to let its workloads reach the cloud."""

    cluster_name: pulumi.Output[str]
    endpoint: pulumi.Output[str]
    kubeconfig: pulumi.Output[str]
    """JSON without any credential: it logs in by a command of the cloud's own tool."""
    admitted: Sequence[pulumi.Resource]
    """What lets administrators and their networks in: before it nobody can use the kubeconfig."""
    security_group_id: pulumi.Output[str]
    oidc_issuer: pulumi.Output[str]
    oidc_provider: pulumi.Output[str]
    ready: pulumi.Resource
    """Nodes and add-ons. What runs pods comes after it, and goes before it: pods that nothing can move hold up the end
    of their node, and disks are deleted by an add-on."""
