"""How much of a cluster a workspace may take."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.core import v1

from catalog.plans import WorkspaceSize
from components import tags
from components.tags import Ownership

CONTAINER_DEFAULT = {"cpu": "250m", "memory": "256Mi", "ephemeral-storage": "512Mi"}
CONTAINER_DEFAULT_REQUEST = {"cpu": "100m", "memory": "128Mi", "ephemeral-storage": "512Mi"}
"""For containers that ask for nothing themselves: with a quota on requests and limits they would be refused. As many
pods as a node takes (29 to 58) leave most of its disk (50 to 100 GiB) to images."""

_REVISIONS = 12
"""Ten of the past, which is Kubernetes' default (`revisionHistoryLimit`), the present one and the next."""
_PODS_OF_A_JOB = 2
"""That have ended, and stay while the job does."""

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

    Node ports and load balancers are at zero: what leaves the cluster goes through the platform's own entrance. Objects
    are counted, those that controllers make of the tenant's as well, because all tenants' are in one store.
    """

    quota: v1.ResourceQuota
    limits: v1.LimitRange

    def __init__(self, name: str, args: QuotaArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:kubernetes:Quota", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        labels = tags.kubernetes(args.ownership)
        self.limits = v1.LimitRange(
            f"{name}-limits",
            metadata={"name": "plan", "namespace": args.namespace, "labels": labels},
            spec={
                "limits": [
                    {
                        "type": "Container",
                        "default": CONTAINER_DEFAULT,
                        "default_request": CONTAINER_DEFAULT_REQUEST,
                        "max": {
                            "cpu": args.size.cpu_limits,
                            "memory": args.size.memory_limits,
                            "ephemeral-storage": args.size.ephemeral_storage,
                        },
                        # The scheduler counts requests. Where a container may write no more than that, all together
                        # cannot fill the disk that a node shares with other tenants.
                        "max_limit_request_ratio": {"ephemeral-storage": "1"},
                    },
                    {"type": "PersistentVolumeClaim", "max": {"storage": args.size.storage}},
                ]
            },
            opts=child,
        )
        self.quota = v1.ResourceQuota(
            f"{name}-quota",
            metadata={"name": "plan", "namespace": args.namespace, "labels": labels},
            spec={"hard": hard_limits(args.size) | (_NOTHING_RUNS if args.suspended else {})},
            # A quota refuses containers that ask for nothing: the defaults come before it.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.limits]),
        )
        self.register_outputs({})


def hard_limits(size: WorkspaceSize) -> dict[str, str]:
    """The quota's figures, by Kubernetes' own names: https://kubernetes.io/docs/concepts/policy/resource-quotas/"""
    return {
        "requests.cpu": size.cpu_requests,
        "limits.cpu": size.cpu_limits,
        "requests.memory": size.memory_requests,
        "limits.memory": size.memory_limits,
        "requests.ephemeral-storage": size.ephemeral_storage,
        "limits.ephemeral-storage": size.ephemeral_storage,
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
        # Of pods, `pods` counts those that have not ended.
        "count/pods": str(size.pods + _PODS_OF_A_JOB * size.jobs),
        "count/deployments.apps": str(size.pods),
        "count/statefulsets.apps": str(size.pods),
        "count/replicasets.apps": str(_REVISIONS * size.pods),
        "count/controllerrevisions.apps": str(_REVISIONS * size.pods),
        "count/horizontalpodautoscalers.autoscaling": str(size.pods),
    }
