"""Who may do what in a workspace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.rbac import v1 as rbac

from components import tags
from components.tags import Ownership

SERVICE_ACCOUNT = "workload"
READ = ("get", "list", "watch")
WRITE = (*READ, "create", "update", "patch", "delete", "deletecollection")
RULES: Mapping[str, tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]] = {
    # Nobody in a workspace may change its quota, limits, policies, roles or service accounts, or mint their tokens (nor
    # by a secret: TenantRules). Nobody makes a pod that no controller owns, or takes one from its controller: EKS holds
    # network policies against the pods of controllers alone
    # (https://docs.aws.amazon.com/eks/latest/userguide/cni-network-policy.html, considerations, and
    # https://github.com/aws/aws-network-policy-agent/issues/327). A job does what such a pod did.
    "operator": (
        ("", ("services", "configmaps", "secrets", "persistentvolumeclaims"), WRITE),
        ("", ("pods",), (*READ, "delete", "deletecollection")),
        ("", ("pods/log", "events", "resourcequotas", "limitranges", "serviceaccounts"), READ),
        ("apps", ("deployments", "statefulsets"), WRITE),
        ("apps", ("deployments/scale", "statefulsets/scale"), ("get", "update", "patch")),
        ("apps", ("replicasets",), READ),
        ("batch", ("jobs", "cronjobs"), WRITE),
        ("autoscaling", ("horizontalpodautoscalers",), WRITE),
        ("networking.k8s.io", ("networkpolicies",), READ),
    ),
    "viewer": (
        ("", ("pods", "pods/log", "services", "configmaps", "events", "resourcequotas", "limitranges"), READ),
        ("", ("persistentvolumeclaims",), READ),
        ("apps", ("deployments", "statefulsets", "replicasets"), READ),
        ("batch", ("jobs", "cronjobs"), READ),
        ("autoscaling", ("horizontalpodautoscalers",), READ),
    ),
}
"""Role: rows of API group, resources and verbs."""


@dataclass(frozen=True)
class AccessArgs:
    ownership: Ownership
    namespace: pulumi.Input[str]
    operator_groups: tuple[str, ...]
    viewer_groups: tuple[str, ...]
    service_account_annotations: pulumi.Input[Mapping[str, str]]
    """What the cloud wants on a service account to lend it a role."""
    suspended: bool = False
    """The roles are bound to nobody: tokens that were given before are worth nothing either."""


class Access(pulumi.ComponentResource):
    """A service account for the workspace's programs, and two namespaced roles: `operator` (programs and the people who
    run them) and `viewer` (no secrets)."""

    service_account: pulumi.Output[str]

    def __init__(self, name: str, args: AccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:kubernetes:Access", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        labels = tags.kubernetes(args.ownership)
        account = core.ServiceAccount(
            f"{name}-account",
            metadata={
                "name": SERVICE_ACCOUNT,
                "namespace": args.namespace,
                "labels": labels,
                "annotations": args.service_account_annotations,
            },
            # A pod that calls the Kubernetes API asks for the token.
            automount_service_account_token=False,
            opts=child,
        )
        subjects: dict[str, list[rbac.SubjectArgsDict]] = {
            "operator": [{"kind": "ServiceAccount", "name": SERVICE_ACCOUNT, "namespace": args.namespace}],
            "viewer": [],
        }
        for role, groups in (("operator", args.operator_groups), ("viewer", args.viewer_groups)):
            subjects[role] += [
                {"kind": "Group", "name": group, "api_group": "rbac.authorization.k8s.io"} for group in groups
            ]
        for role, rules in RULES.items():
            if not subjects[role]:
                continue
            made = rbac.Role(
                f"{name}-{role}",
                metadata={"name": role, "namespace": args.namespace, "labels": labels},
                rules=[
                    {"api_groups": [group], "resources": list(resources), "verbs": list(verbs)}
                    for group, resources, verbs in rules
                ],
                opts=child,
            )
            if args.suspended:
                continue
            rbac.RoleBinding(
                f"{name}-{role}-binding",
                metadata={"name": role, "namespace": args.namespace, "labels": labels},
                role_ref={"api_group": "rbac.authorization.k8s.io", "kind": "Role", "name": role},
                subjects=subjects[role],
                # A binding that comes before its service account or role would be valid, and grant nothing yet.
                opts=pulumi.ResourceOptions(parent=self, depends_on=[made, account]),
            )
        self.service_account = account.metadata.apply(lambda metadata: str(metadata["name"]))
        self.register_outputs({"service_account": self.service_account})
