"""The add-ons that EKS maintains."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pulumi
from pulumi_aws import eks

from components import tags
from components.aws.addon_versions import addon_version
from components.aws.arn import managed_policy
from components.aws.workload_role import WorkloadRole, WorkloadRoleArgs
from components.contracts.place import Place
from components.naming import physical_name
from components.tags import Ownership


@dataclass(frozen=True)
class Addon:
    """One add-on; with `policy` it works with an IAM role of its own, taken by `service_account` in kube-system."""

    name: str
    before_nodes: bool
    service_account: str = ""
    policy: str = ""
    configuration: str | None = None


ADDONS = (
    # enableNetworkPolicy: without it NetworkPolicies are stored and not enforced.
    # https://docs.aws.amazon.com/eks/latest/userguide/cni-network-policy-configure.html
    Addon("vpc-cni", True, "aws-node", "AmazonEKS_CNI_Policy", json.dumps({"enableNetworkPolicy": "true"})),
    Addon("kube-proxy", True),
    Addon("coredns", False),
    # The metrics that HorizontalPodAutoscalers read.
    Addon("metrics-server", False),
    # The add-on's own default StorageClass takes no parameters, so its volumes would not be encrypted: the platform
    # makes one that is (components/kubernetes/default_storage.py), and there may be only one default.
    # https://github.com/kubernetes-sigs/aws-ebs-csi-driver/blob/master/charts/aws-ebs-csi-driver/values.yaml
    # Its policy leaves it the volumes and snapshots with its own mark, which it sets on all that it makes:
    # https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonEBSCSIDriverPolicyV2.html
    # https://github.com/kubernetes-sigs/aws-ebs-csi-driver/issues/2918
    Addon(
        "aws-ebs-csi-driver",
        False,
        "ebs-csi-controller-sa",
        "AmazonEBSCSIDriverPolicyV2",
        json.dumps({"defaultStorageClass": {"enabled": False}}),
    ),
)


@dataclass(frozen=True)
class ClusterAddonsArgs:
    ownership: Ownership
    place: Place
    cluster_name: pulumi.Input[str]
    physical_name: str
    oidc_issuer: pulumi.Input[str]
    oidc_provider: pulumi.Input[str]
    kubernetes_version: str
    before_nodes: bool


class ClusterAddons(pulumi.ComponentResource):
    """Those of `ADDONS` that nodes need, or those that need nodes, each in the version that goes with the cluster's.

    What the program says is what runs: a setting that somebody changed in the cluster is put back, at creation and at
    each change of the add-on. https://docs.aws.amazon.com/eks/latest/APIReference/API_UpdateAddon.html
    """

    def __init__(self, name: str, args: ClusterAddonsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:aws:ClusterAddons", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        for addon in ADDONS:
            if addon.before_nodes is not args.before_nodes:
                continue
            role: pulumi.Output[str] | None = None
            if addon.policy:
                role = WorkloadRole(
                    f"{name}-{addon.name}-role",
                    WorkloadRoleArgs(
                        ownership=args.ownership,
                        role_name=physical_name(args.physical_name, addon.name, limit=64),
                        oidc_issuer=args.oidc_issuer,
                        oidc_provider=args.oidc_provider,
                        service_accounts=(("kube-system", addon.service_account),),
                        managed_policies=(managed_policy(args.place, addon.policy),),
                    ),
                    child,
                ).arn
            eks.Addon(
                f"{name}-{addon.name}",
                cluster_name=args.cluster_name,
                addon_name=addon.name,
                addon_version=addon_version(addon.name, args.kubernetes_version),
                configuration_values=addon.configuration,
                service_account_role_arn=role,
                resolve_conflicts_on_create="OVERWRITE",
                resolve_conflicts_on_update="OVERWRITE",
                tags=tags.aws(args.ownership, name=f"{args.physical_name}-{addon.name}"),
                opts=child,
            )
        self.register_outputs({})
