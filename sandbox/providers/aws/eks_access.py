"""EKS: add-ons, access entries and access policies; recorded.

The sandbox's token webhook reads the access entries and policy associations from the same store, so that they decide
who may log in to a cluster and as which groups.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sandbox.providers.aws.context import Context
from sandbox.providers.aws.table import AwsType, page
from sandbox.providers.interface import CheckFailure, Properties
from sandbox.providers.typed import Kind, matches, one_of

_ENTRY = "aws:eks/accessEntry:AccessEntry"
_ASSOCIATION = "aws:eks/accessPolicyAssociation:AccessPolicyAssociation"
_ADMIN = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"

ADDON = AwsType(
    token="aws:eks/addon:Addon",
    kind=Kind.RECORDED,
    note="Nothing is installed in the cluster",
    documentation=page("eks/addon"),
    id_form="{clusterName}:{addonName}",
    replace_on=frozenset({"addonName", "clusterName"}),
    documents=frozenset({"configurationValues"}),
    rules=(
        matches("addonVersion", r"v[0-9]+\.[0-9]+\.[0-9]+-eksbuild\.[0-9]+", "such as v1.20.0-eksbuild.1"),
        one_of("resolveConflictsOnCreate", "NONE", "OVERWRITE"),
        one_of("resolveConflictsOnUpdate", "NONE", "OVERWRITE", "PRESERVE"),
    ),
    computed_outputs={"arn": "arn:{partition}:eks:{region}:{account}:addon/{clusterName}/{addonName}"},
)


def _principal(inputs: Properties) -> Iterable[CheckFailure]:
    principal = inputs.get("principalArn")
    if isinstance(principal, str) and not re.fullmatch(r"arn:aws[\w-]*:iam::\d{12}:(user|role)/.+", principal):
        yield CheckFailure("principalArn", f"expected the ARN of an IAM user or role; got {principal!r}")
    groups = inputs.get("kubernetesGroups")
    for index, group in enumerate(groups if isinstance(groups, list) else []):
        # https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateAccessEntry.html
        if isinstance(group, str) and group.startswith(("system:", "eks:", "aws:", "amazon:", "iam:")):
            yield CheckFailure(f"kubernetesGroups[{index}]", f"{group!r} begins with a reserved prefix; EKS refuses it")


ACCESS_ENTRY = AwsType(
    token=_ENTRY,
    kind=Kind.RECORDED,
    note="Decides who may log in to the sandbox's clusters; eks:DescribeAccessEntry does not know it",
    documentation=page("eks/accessentry"),
    id_form="{clusterName}:{principalArn}",
    defaults={"type": "STANDARD"},
    replace_on=frozenset({"clusterName", "principalArn", "type"}),
    computed=frozenset({"userName", "kubernetesGroups"}),
    sets=frozenset({"kubernetesGroups"}),
    rules=(_principal, one_of("type", "STANDARD", "EC2", "EC2_LINUX", "EC2_WINDOWS", "FARGATE_LINUX", "HYBRID_LINUX")),
    computed_outputs={
        "accessEntryArn": "arn:{partition}:eks:{region}:{account}:access-entry/{clusterName}/{principalArn}"
    },
)


def _policy(inputs: Properties) -> Iterable[CheckFailure]:
    policy = inputs.get("policyArn")
    if isinstance(policy, str) and not re.fullmatch(r"arn:aws[\w-]*:eks::aws:cluster-access-policy/\w+", policy):
        yield CheckFailure("policyArn", f"expected the ARN of an EKS cluster access policy; got {policy!r}")
    scope = inputs.get("accessScope")
    kind = scope.get("type") if isinstance(scope, dict) else None
    if isinstance(kind, str) and kind not in ("cluster", "namespace"):
        yield CheckFailure("accessScope.type", f"expected cluster or namespace; got {kind!r}")


ACCESS_POLICY_ASSOCIATION = AwsType(
    token=_ASSOCIATION,
    kind=Kind.RECORDED,
    note="Decides the groups of who logs in; the scope namespace grants nothing here, rather than too much",
    documentation=page("eks/accesspolicyassociation"),
    id_form="{clusterName}#{principalArn}#{policyArn}",
    replace_on=frozenset({"accessScope", "clusterName", "principalArn", "policyArn"}),
    rules=(_policy,),
)


def admit_creator(context: Context, cluster: str) -> None:
    """The entry that EKS makes for whoever creates a cluster: administrator of it."""
    principal = _role_of(str(context.api.identity()["Arn"]))
    entry = {"clusterName": cluster, "principalArn": principal, "type": "STANDARD"}
    association = {
        "clusterName": cluster, "principalArn": principal, "policyArn": _ADMIN, "accessScope": {"type": "cluster"},
    }  # fmt: skip
    context.recorded.add(_ENTRY, f"{cluster}:{principal}", context.resource.urn, entry, entry)
    context.recorded.add(
        _ASSOCIATION, f"{cluster}#{principal}#{_ADMIN}", context.resource.urn, association, association
    )


def _role_of(arn: str) -> str:
    """The IAM principal behind a caller: of an assumed role's session, the role."""
    found = re.fullmatch(r"arn:(aws[\w-]*):sts::(\d{12}):assumed-role/([^/]+)/.+", arn)
    return f"arn:{found[1]}:iam::{found[2]}:role/{found[3]}" if found else arn


def forget_cluster(context: Context, cluster: str) -> None:
    """What goes with a cluster: its entries, associations and add-ons."""
    for token in (_ENTRY, _ASSOCIATION, ADDON.token):
        for record in context.recorded.list(token):
            if record.inputs.get("clusterName") == cluster:
                context.recorded.delete(token, record.id)


TYPES = (ADDON, ACCESS_ENTRY, ACCESS_POLICY_ASSOCIATION)
