"""What the runner may do in a cell's cluster: what tenants' workspaces are made of, in their namespaces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.admissionregistration import v1 as admission
from pulumi_kubernetes.meta import v1 as meta
from pulumi_kubernetes.rbac import v1 as rbac

from components import tags
from components.kubernetes.access import RULES, WRITE
from components.tags import Ownership

GROUP = "freehold:runner"
"""The Kubernetes group that the runner's cloud role logs in with."""
NAME = "freehold-runner"

OWN_RULES: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("", ("namespaces", "resourcequotas", "limitranges", "serviceaccounts"), WRITE),
    ("networking.k8s.io", ("networkpolicies",), WRITE),
    ("rbac.authorization.k8s.io", ("roles", "rolebindings"), WRITE),
)
CLUSTER_RULES = (*OWN_RULES, *(rule for rules in RULES.values() for rule in rules))
"""With all that the roles of a workspace hold: nobody can give a right that they lack themselves, unless by `escalate`
and `bind`, which would let the runner give any."""

# Namespaces are among what it makes: of a namespace the request has the name, of anything else the namespace.
_WHERE = "(has(request.namespace) && request.namespace != '' ? request.namespace : request.name)"
_ENFORCED = "pod-security.kubernetes.io/enforce"
VALIDATIONS: Mapping[str, str] = {
    f"{_WHERE}.matches('^t-.+--.+$')": "the runner works in the namespaces of tenants only",
    "request.kind.kind != 'Namespace' || request.operation == 'DELETE' || (has(object.metadata.labels) && "
    f"'{_ENFORCED}' in object.metadata.labels && object.metadata.labels['{_ENFORCED}'] == 'restricted')": (
        f"the runner's namespaces carry {_ENFORCED}: restricted"
    ),
}
"""Expressions that must hold for each of its writes, and what is said otherwise."""


@dataclass(frozen=True)
class RunnerRightsArgs:
    ownership: Ownership


class RunnerRights(pulumi.ComponentResource):
    """A ClusterRole for the group that the runner logs in with, and an admission policy that keeps it to tenants'
    namespaces, under the restricted pod security standard.

    None of the cloud's own access policies fits: on EKS all but the cluster administrator's lack namespaces, quotas and
    limits, and the administrator's is everything
    (https://docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html). Roles of Kubernetes cannot name
    namespaces that are not there yet, so this one holds everywhere; the policy says no to each write outside, among
    them the pod in `kube-system` by which it could become administrator, and to namespaces that would run privileged
    pods. What it may read everywhere are the objects of the kinds that it makes, secrets too.
    """

    def __init__(self, name: str, args: RunnerRightsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:kubernetes:RunnerRights", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        metadata: meta.ObjectMetaArgsDict = {"name": NAME, "labels": tags.kubernetes(args.ownership)}
        policy = admission.ValidatingAdmissionPolicy(
            f"{name}-tenants-only",
            metadata=metadata,
            spec={
                "failure_policy": "Fail",
                "match_constraints": {
                    "resource_rules": [
                        {
                            "api_groups": sorted({group for group, _, _ in CLUSTER_RULES}),
                            "api_versions": ["*"],
                            "operations": ["CREATE", "UPDATE", "DELETE", "CONNECT"],
                            "resources": ["*/*"],
                        }
                    ]
                },
                "match_conditions": [{"name": "by-the-runner", "expression": f"'{GROUP}' in request.userInfo.groups"}],
                "validations": [
                    {"expression": expression, "message": message} for expression, message in VALIDATIONS.items()
                ],
            },
            opts=child,
        )
        confined = admission.ValidatingAdmissionPolicyBinding(
            f"{name}-tenants-only-everywhere",
            metadata=metadata,
            spec={
                "policy_name": policy.metadata.apply(lambda found: str(found["name"])),
                "validation_actions": ["Deny"],
            },
            opts=child,
        )
        role = rbac.ClusterRole(
            f"{name}-role",
            metadata=metadata,
            rules=[
                {"api_groups": [group], "resources": list(resources), "verbs": list(verbs)}
                for group, resources, verbs in CLUSTER_RULES
            ],
            opts=child,
        )
        rbac.ClusterRoleBinding(
            f"{name}-binding",
            metadata=metadata,
            role_ref={"api_group": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": NAME},
            subjects=[{"kind": "Group", "name": GROUP, "api_group": "rbac.authorization.k8s.io"}],
            # It is confined before it may do anything.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[role, confined]),
        )
        self.register_outputs({})
