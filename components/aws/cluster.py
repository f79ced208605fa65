"""A Kubernetes cluster on EKS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pulumi
from pulumi_aws import cloudwatch, ec2, eks, iam, vpc

from components import tags
from components.aws.arn import account_root, managed_policy, partition
from components.aws.cluster_addons import ClusterAddons, ClusterAddonsArgs
from components.aws.key import Key, KeyArgs
from components.aws.kubeconfig import kubeconfig
from components.aws.node_group import NodeGroup, NodeGroupArgs, group_name
from components.aws.policy_document import assumed_by
from components.contracts.cluster import ClusterArgs
from components.naming import key as key_of
from components.naming import physical_name

LOG_TYPES = ("api", "audit", "authenticator", "controllerManager", "scheduler")


class Cluster(pulumi.ComponentResource):
    """An EKS cluster whose access is decided by access entries alone.

    - all five control plane logs, in a group that expires
    - secrets encrypted by a key of its own
    - API server on private addresses, for its nodes and the private networks that are named; on public ones only for
      the public networks that are named
    - one managed node group, and a security group that its nodes carry, by which databases know them
    - an OIDC provider, so that service accounts can take IAM roles
    - the add-ons that EKS maintains, in pinned versions
    - an access entry with the cluster administrator's policy for each of `admins`; the creator gets nothing by itself
    """

    cluster_name: pulumi.Output[str]
    endpoint: pulumi.Output[str]
    kubeconfig: pulumi.Output[str]
    admitted: Sequence[pulumi.Resource]
    security_group_id: pulumi.Output[str]
    oidc_issuer: pulumi.Output[str]
    oidc_provider: pulumi.Output[str]
    ready: pulumi.Resource

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:aws:Cluster", name, None, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        self._tags = tags.aws(args.ownership, name=args.name)
        cluster = self._control_plane()
        own_group = cluster.vpc_config.apply(lambda config: str(config.cluster_security_group_id))
        ways = self._let_operators_in(own_group)
        admins = self._admit(cluster, after=ways)
        self.admitted = [*admins, *ways]
        nodes_group = self._nodes_security_group()

        issuer = cluster.identities.apply(_issuer)
        # AWS verifies the issuer's certificate itself: no thumbprint is needed.
        provider = iam.OpenIdConnectProvider(
            f"{name}-oidc",
            url=issuer,
            client_id_lists=["sts.amazonaws.com"],
            tags=self._tags,
            opts=self._child,
        )
        network_addons = ClusterAddonsArgs(
            ownership=args.ownership,
            place=args.place,
            cluster_name=cluster.name,
            physical_name=args.name,
            oidc_issuer=issuer,
            oidc_provider=provider.arn,
            kubernetes_version=args.kubernetes_version,
            before_nodes=True,
        )
        # Nodes become ready only with a network, everything else in the cluster only with nodes.
        network = ClusterAddons(f"{name}-network-addons", network_addons, self._child)
        nodes = NodeGroup(
            f"{name}-nodes",
            NodeGroupArgs(
                ownership=args.ownership,
                place=args.place,
                cluster_name=cluster.name,
                group_name=group_name(args.name),
                kubernetes_version=args.kubernetes_version,
                subnet_ids=args.subnet_ids,
                security_group_ids=(
                    own_group,
                    nodes_group.id,
                ),
                nodes=args.nodes,
                running=args.running,
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[network]),
        )
        self.ready = ClusterAddons(
            f"{name}-addons",
            replace(network_addons, before_nodes=False),
            pulumi.ResourceOptions(parent=self, depends_on=[nodes]),
        )

        self.cluster_name = cluster.name
        self.endpoint = cluster.endpoint
        # Unknown until somebody is let in: the preview after a run that ended before would ask a cluster that knows
        # nobody, and so would each one after it. Not by all of them: another administrator would leave it unknown in a
        # preview, which then shows an update of everything in the cluster.
        self.kubeconfig = pulumi.Output.all(
            cluster.name, cluster.endpoint, cluster.certificate_authority.data, *[last.id for last in admins[-1:]]
        ).apply(lambda known: kubeconfig(known[0], args.place.region, known[1], known[2]))
        self.security_group_id = nodes_group.id
        self.oidc_issuer = issuer
        self.oidc_provider = provider.arn
        self.register_outputs(
            {
                "cluster_name": self.cluster_name,
                "endpoint": self.endpoint,
                "kubeconfig": self.kubeconfig,
                "security_group_id": self.security_group_id,
                "oidc_issuer": self.oidc_issuer,
                "oidc_provider": self.oidc_provider,
            }
        )

    def _control_plane(self) -> eks.Cluster:
        name, args = self._name, self._args
        logs = cloudwatch.LogGroup(
            f"{name}-logs",
            # EKS writes to this name and would make a group that never expires.
            name=f"/aws/eks/{args.name}/cluster",
            retention_in_days=args.log_retention_days,
            tags=self._tags,
            opts=self._child,
        )
        key = Key(
            f"{name}-secrets",
            KeyArgs(
                ownership=args.ownership,
                place=args.place,
                purpose=f"Kubernetes secrets of the cluster {args.name}",
                alias=physical_name(args.name, "secrets", limit=64),
                # EKS works by a grant that whoever creates the cluster makes, and a condition on the service keeps it
                # from being made: https://docs.aws.amazon.com/eks/latest/userguide/enable-kms.html
                services=(),
                grants=[
                    {
                        "Sid": "ClusterCreation",
                        "Effect": "Allow",
                        "Principal": {"AWS": account_root(args.place)},
                        "Action": "kms:CreateGrant",
                        "Resource": "*",
                        "Condition": {"StringEquals": {"kms:CallerAccount": args.place.account}},
                    }
                ],
                protect=args.protect,
            ),
            self._child,
        )
        role = iam.Role(
            f"{name}-role",
            name=physical_name(args.name, "control-plane", limit=64),
            assume_role_policy=assumed_by("eks.amazonaws.com"),
            tags=self._tags,
            opts=self._child,
        )
        policy = iam.RolePolicyAttachment(
            f"{name}-AmazonEKSClusterPolicy",
            role=role.name,
            policy_arn=managed_policy(args.place, "AmazonEKSClusterPolicy"),
            opts=self._child,
        )
        return eks.Cluster(
            f"{name}-control-plane",
            name=args.name,
            version=args.kubernetes_version,
            role_arn=role.arn,
            vpc_config={
                "subnet_ids": list(args.subnet_ids),
                "endpoint_private_access": True,
                "endpoint_public_access": bool(args.public_cidrs),
                "public_access_cidrs": list(args.public_cidrs) or None,
            },
            kubernetes_network_config={"ip_family": "ipv4", "service_ipv4_cidr": args.service_cidr},
            access_config={
                "authentication_mode": "API",
                "bootstrap_cluster_creator_admin_permissions": False,
            },
            encryption_config={"provider": {"key_arn": key.arn}, "resources": ["secrets"]},
            enabled_cluster_log_types=list(LOG_TYPES),
            # https://docs.aws.amazon.com/eks/latest/userguide/view-upgrade-policy.html
            upgrade_policy={"support_type": "EXTENDED" if args.extended_support else "STANDARD"},
            bootstrap_self_managed_addons=False,
            deletion_protection=args.protect,
            tags=self._tags,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy, logs], protect=args.protect),
        )

    def _let_operators_in(self, own_group: pulumi.Input[str]) -> list[pulumi.CustomResource]:
        # The group that EKS makes lets in its own members only, wherever in the network others are:
        # https://docs.aws.amazon.com/eks/latest/userguide/cluster-endpoint.html
        return [
            vpc.SecurityGroupIngressRule(
                f"{self._name}-from-{key_of(cidr)}",
                security_group_id=own_group,
                cidr_ipv4=cidr,
                ip_protocol="tcp",
                from_port=443,
                to_port=443,
                description="From operators",
                tags=self._tags,
                opts=self._child,
            )
            for cidr in self._args.operator_cidrs
        ]

    def _admit(self, cluster: eks.Cluster, *, after: Sequence[pulumi.Resource]) -> list[pulumi.CustomResource]:
        """One after another, and the first of them at last: where that one is let in all are, and `after` is there."""
        associations: list[pulumi.CustomResource] = []
        for principal in (*self._args.admins[1:], *self._args.admins[:1]):
            suffix = key_of(principal)
            entry = eks.AccessEntry(
                f"{self._name}-admin-{suffix}",
                cluster_name=cluster.name,
                principal_arn=principal,
                type="STANDARD",
                tags=self._tags,
                opts=self._child,
            )
            associations.append(
                eks.AccessPolicyAssociation(
                    f"{self._name}-admin-{suffix}-policy",
                    cluster_name=cluster.name,
                    principal_arn=entry.principal_arn,
                    policy_arn=(
                        f"arn:{partition(self._args.place.region)}:eks::aws:"
                        "cluster-access-policy/AmazonEKSClusterAdminPolicy"
                    ),
                    access_scope={"type": "cluster"},
                    opts=pulumi.ResourceOptions(parent=self, depends_on=[*after, *associations]),
                )
            )
        return associations

    def _nodes_security_group(self) -> ec2.SecurityGroup:
        group = ec2.SecurityGroup(
            f"{self._name}-node-security",
            name=physical_name(self._args.name, "nodes", limit=255),
            # EC2 takes no apostrophe in a description:
            # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
            description="Carried by the nodes of the cluster: databases admit it",
            vpc_id=self._args.network_id,
            tags=self._tags,
            opts=self._child,
        )
        vpc.SecurityGroupEgressRule(
            f"{self._name}-nodes-out",
            security_group_id=group.id,
            ip_protocol="-1",
            cidr_ipv4="0.0.0.0/0",
            description="Images, cloud services and what workloads call",
            tags=self._tags,
            opts=self._child,
        )
        return group


def _issuer(identities: Sequence[eks.outputs.ClusterIdentity]) -> str:
    for identity in identities:
        for oidc in identity.oidcs or ():
            if oidc.issuer:
                return oidc.issuer
    raise pulumi.RunError("EKS returned a cluster without an OIDC issuer; service accounts could take no IAM role")
