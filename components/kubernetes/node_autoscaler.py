"""What adds nodes when pods find no place, and takes away those that are not needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apps import v1 as apps
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta
from pulumi_kubernetes.policy import v1 as policy
from pulumi_kubernetes.rbac import v1 as rbac

from components import tags
from components.tags import Ownership

NAMESPACE = "kube-system"
SERVICE_ACCOUNT = "cluster-autoscaler"
IMAGES: Mapping[str, str] = {
    "1.33": "registry.k8s.io/autoscaling/cluster-autoscaler:v1.33.5",
    "1.34": "registry.k8s.io/autoscaling/cluster-autoscaler:v1.34.4",
    "1.35": "registry.k8s.io/autoscaling/cluster-autoscaler:v1.35.2",
}
"""By the cluster's version: it holds the scheduler's code of the same one.
https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/README.md#releases"""

READ = ("get", "list", "watch")
CLUSTER_RULES: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    # https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/cloudprovider/aws/examples/
    # cluster-autoscaler-autodiscover.yaml, without what only old versions of Kubernetes know.
    ("", ("events",), ("create", "patch")),
    ("", ("pods/eviction",), ("create",)),
    ("", ("pods/status",), ("update",)),
    ("", ("nodes",), (*READ, "update")),
    ("", ("namespaces", "pods", "services", "replicationcontrollers"), READ),
    ("", ("persistentvolumeclaims", "persistentvolumes"), READ),
    ("apps", ("daemonsets", "replicasets", "statefulsets"), READ),
    ("batch", ("jobs",), (*READ, "patch")),
    ("policy", ("poddisruptionbudgets",), READ),
    ("resource.k8s.io", ("deviceclasses", "resourceclaims", "resourceslices"), READ),
    (
        "storage.k8s.io",
        ("csidrivers", "csinodes", "csistoragecapacities", "storageclasses", "volumeattachments"),
        READ,
    ),
)
OWN_RULES: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...]], ...] = (
    # An object cannot be named before it is there, so the right to create goes without names.
    ("", "configmaps", ("create", "list", "watch"), ()),
    ("", "configmaps", ("get", "update", "delete"), ("cluster-autoscaler-status",)),
    ("coordination.k8s.io", "leases", ("create",), ()),
    ("coordination.k8s.io", "leases", ("get", "update"), ("cluster-autoscaler",)),
)


@dataclass(frozen=True)
class NodeAutoscalerArgs:
    ownership: Ownership
    kubernetes_version: str
    cloud_arguments: Sequence[pulumi.Input[str]]
    """Which cloud's groups of nodes it looks after, and how it finds them."""
    environment: Mapping[str, pulumi.Input[str]]
    service_account_annotations: pulumi.Input[Mapping[str, str]]
    """What the cloud wants on a service account to lend it a role."""
    replicas: int = 2


class NodeAutoscaler(pulumi.ComponentResource):
    """The Kubernetes Cluster Autoscaler: a leader and one that waits, on different nodes where there are two.

    It asks the cloud for as many nodes as the pending pods need, within the group's minimum and maximum, and empties
    and removes a node that was not needed for ten minutes. Where a group spans zones it cannot choose one: a pod whose
    disk lies in a zone without room waits until a new node happens to come up there.
    """

    def __init__(self, name: str, args: NodeAutoscalerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:kubernetes:NodeAutoscaler", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        labels = tags.kubernetes(args.ownership)
        selector = {"app.kubernetes.io/name": SERVICE_ACCOUNT}
        account = core.ServiceAccount(
            f"{name}-account",
            metadata={
                "name": SERVICE_ACCOUNT,
                "namespace": NAMESPACE,
                "labels": labels | selector,
                "annotations": args.service_account_annotations,
            },
            opts=child,
        )
        bindings = self._rights(name, labels)
        apps.Deployment(
            f"{name}-deployment",
            metadata={"name": SERVICE_ACCOUNT, "namespace": NAMESPACE, "labels": labels | selector},
            spec={
                "replicas": args.replicas,
                "selector": {"match_labels": selector},
                "template": {
                    "metadata": {"labels": labels | selector},
                    "spec": {
                        "service_account_name": SERVICE_ACCOUNT,
                        "priority_class_name": "system-cluster-critical",
                        # https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
                        "security_context": {
                            "run_as_non_root": True,
                            "run_as_user": 65534,
                            "run_as_group": 65534,
                            "fs_group": 65534,
                            "seccomp_profile": {"type": "RuntimeDefault"},
                        },
                        "topology_spread_constraints": [
                            {
                                "max_skew": 1,
                                "topology_key": "kubernetes.io/hostname",
                                # A cluster that begins with one node needs its autoscaler most of all.
                                "when_unsatisfiable": "ScheduleAnyway",
                                "label_selector": {"match_labels": selector},
                            }
                        ],
                        "containers": [self._container(args)],
                    },
                },
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[account, *bindings]),
        )
        policy.PodDisruptionBudget(
            f"{name}-disruption",
            metadata={"name": SERVICE_ACCOUNT, "namespace": NAMESPACE, "labels": labels | selector},
            # Where both crash, each time anew, no node could be emptied otherwise:
            # https://kubernetes.io/docs/tasks/run-application/configure-pdb/#unhealthy-pod-eviction-policy
            spec={
                "max_unavailable": 1,
                "selector": {"match_labels": selector},
                "unhealthy_pod_eviction_policy": "AlwaysAllow",
            },
            opts=child,
        )
        self.register_outputs({})

    def _container(self, args: NodeAutoscalerArgs) -> core.ContainerArgsDict:
        return {
            "name": SERVICE_ACCOUNT,
            "image": image(args.kubernetes_version),
            "command": ["./cluster-autoscaler"],
            "args": [
                *args.cloud_arguments,
                f"--namespace={NAMESPACE}",
                "--leader-elect=true",
                f"--leader-elect-resource-namespace={NAMESPACE}",
                # The group that leaves least unused; scratch volumes and this cluster's own pods keep no node alive.
                "--expander=least-waste",
                "--balance-similar-node-groups",
                "--skip-nodes-with-local-storage=false",
                "--skip-nodes-with-system-pods=false",
                "--stderrthreshold=info",
                "--v=2",
            ],
            "env": [{"name": variable, "value": value} for variable, value in sorted(args.environment.items())],
            "ports": [{"name": "http", "container_port": 8085}],
            "liveness_probe": {"http_get": {"path": "/health-check", "port": "http"}, "period_seconds": 10},
            "resources": {
                "requests": {"cpu": "100m", "memory": "600Mi"},
                "limits": {"cpu": "1", "memory": "600Mi"},
            },
            "security_context": {
                "allow_privilege_escalation": False,
                "read_only_root_filesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
        }

    def _rights(self, name: str, labels: Mapping[str, str]) -> list[pulumi.Resource]:
        cluster_wide: meta.ObjectMetaArgsDict = {"name": SERVICE_ACCOUNT, "labels": labels}
        own: meta.ObjectMetaArgsDict = {**cluster_wide, "namespace": NAMESPACE}
        subjects: list[rbac.SubjectArgsDict] = [
            {"kind": "ServiceAccount", "name": SERVICE_ACCOUNT, "namespace": NAMESPACE}
        ]
        cluster_role = rbac.ClusterRole(
            f"{name}-cluster-role",
            metadata=cluster_wide,
            rules=[
                {"api_groups": [group], "resources": list(resources), "verbs": list(verbs)}
                for group, resources, verbs in CLUSTER_RULES
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )
        role = rbac.Role(
            f"{name}-role",
            metadata=own,
            rules=[_own_rule(*rule) for rule in OWN_RULES],
            opts=pulumi.ResourceOptions(parent=self),
        )
        group = "rbac.authorization.k8s.io"
        return [
            rbac.ClusterRoleBinding(
                f"{name}-cluster-role-binding",
                metadata=cluster_wide,
                role_ref={"api_group": group, "kind": "ClusterRole", "name": SERVICE_ACCOUNT},
                subjects=subjects,
                opts=pulumi.ResourceOptions(parent=self, depends_on=[cluster_role]),
            ),
            rbac.RoleBinding(
                f"{name}-role-binding",
                metadata=own,
                role_ref={"api_group": group, "kind": "Role", "name": SERVICE_ACCOUNT},
                subjects=subjects,
                opts=pulumi.ResourceOptions(parent=self, depends_on=[role]),
            ),
        ]


def _own_rule(group: str, resource: str, verbs: Sequence[str], names: Sequence[str]) -> rbac.PolicyRuleArgsDict:
    rule: rbac.PolicyRuleArgsDict = {"api_groups": [group], "resources": [resource], "verbs": list(verbs)}
    return {**rule, "resource_names": list(names)} if names else rule


def image(kubernetes_version: str) -> str:
    """Raises RunError for a version of Kubernetes that the table does not know."""
    if kubernetes_version not in IMAGES:
        raise pulumi.RunError(
            f"no cluster autoscaler is known for Kubernetes {kubernetes_version}; choose one of {', '.join(IMAGES)} "
            "(freehold:cluster, version) or add it to components/kubernetes/node_autoscaler.py"
        )
    return IMAGES[kubernetes_version]
