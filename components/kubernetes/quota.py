"""How much of a cluster a workspace may take."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.core import v1

from catalog.plans import WorkspaceSize
from components import tags
from components.tags import Ownership

CONTAINER_DEFAULT = {"cpu": "250m", "memory": "256Mi"}
CONTAINER_DEFAULT_REQUEST = {"cpu": "100m", "memory": "128Mi"}
"""For containers that ask for nothing themselves: with a quota on requests and limits they would be refused."""


_NOTHING_RUNS = {"pods": "0", "count/jobs.batch": "0"}


@dataclass(frozen=True)
class QuotaArgs:
    ownership: Ownership
    namespace: pulumi.Input[str]
    size: WorkspaceSize
    suspended: bool = False
    """No pod and no job may begin. Those that run are not ended by a quota."""


class Quota(pulumi.ComponentResource):
    """A ResourceQuota of the plan's size and a LimitRange that gives every container requests and limits.

    Node ports and load balancers are at zero: what leaves the cluster goes through the platform's own entrance.
    """

    quota: v1.ResourceQuota
    limits: v1.LimitRange

    def __init__(self, name: str, args: QuotaArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:kubernetes:Quota", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        labels = tags.kubernetes(args.ownership)
        self.quota = v1.ResourceQuota(
            f"{name}-quota",
            metadata={"name": "plan", "namespace": args.namespace, "labels": labels},
            spec={"hard": hard_limits(args.size) | (_NOTHING_RUNS if args.suspended else {})},
            opts=child,
        )
        self.limits = v1.LimitRange(
            f"{name}-limits",
            metadata={"name": "plan", "namespace": args.namespace, "labels": labels},
            spec={
                "limits": [
                    {
                        "type": "Container",
                        "default": CONTAINER_DEFAULT,
                        "default_request": CONTAINER_DEFAULT_REQUEST,
                        "max": {"cpu": args.size.cpu_limits, "memory": args.size.memory_limits},
                    },
                    {"type": "PersistentVolumeClaim", "max": {"storage": args.size.storage}},
                ]
            },
            opts=child,
        )
        self.register_outputs({})


def hard_limits(size: WorkspaceSize) -> dict[str, str]:
    """The quota's figures, by Kubernetes' own names: https://kubernetes.io/docs/concepts/policy/resource-quotas/"""
    return {
        "requests.cpu": size.cpu_requests,
        "limits.cpu": size.cpu_limits,
        "requests.memory": size.memory_requests,
        "limits.memory": size.memory_limits,
        "requests.storage": size.storage,
        "pods": str(size.pods),
        "services": str(size.services),
        "services.nodeports": "0",
        "services.loadbalancers": "0",
        "secrets": str(size.secrets),
        "configmaps": str(size.config_maps),
        "persistentvolumeclaims": str(size.volume_claims),
        "count/jobs.batch": str(size.jobs),
        "count/cronjobs.batch": str(size.jobs),
    }
