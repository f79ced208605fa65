"""A namespace of the platform's own that nothing in the cluster reaches."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.networking import v1

from components import tags
from components.tags import Ownership


@dataclass(frozen=True)
class ClosedNamespaceArgs:
    ownership: Ownership
    namespace: str


class ClosedNamespace(pulumi.ComponentResource):
    """A NetworkPolicy that lets nothing into a namespace that is there.

    Programs that only ask others need no more: the node's own probes are let in whatever a policy says
    (https://kubernetes.io/docs/concepts/services-networking/network-policies/), and `kubectl port-forward` arrives
    inside the pod. Who adds a collector of metrics adds a policy that lets it in. The way out stays open: to the
    cloud's interfaces, the cluster's and the databases.
    """

    def __init__(self, name: str, args: ClosedNamespaceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:kubernetes:ClosedNamespace", name, None, opts)
        v1.NetworkPolicy(
            f"{name}-ingress",
            metadata={
                "name": "default-deny-ingress",
                "namespace": args.namespace,
                "labels": tags.kubernetes(args.ownership),
            },
            spec={"pod_selector": {}, "policy_types": ["Ingress"]},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
