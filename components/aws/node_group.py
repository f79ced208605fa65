"""The machines of a cluster."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import ec2, eks, iam

from components import tags
from components.aws.arn import managed_policy
from components.aws.policy_document import assumed_by
from components.contracts.cluster import NodePool, RunningNodes
from components.contracts.place import Place
from components.naming import physical_name
from components.tags import Ownership

POLICIES = ("AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly")
"""https://docs.aws.amazon.com/eks/latest/userguide/create-node-role.html; the network add-on has a role of its own."""

_ARM = re.compile(r"[a-z-]+[0-9]+[a-z]*g|a1\.")
"""Graviton families carry a g behind their generation, but for the first:
https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html"""


def ami_type(machine_types: Sequence[str]) -> str:
    """The image of Amazon Linux 2023 for these machines; EKS refuses one for another processor. Raises RunError where
    they have different ones."""
    if len({_ARM.match(machine) is not None for machine in machine_types}) > 1:
        raise pulumi.RunError(f"machine types {', '.join(machine_types)} mix Arm and x86 processors: choose one")
    return "AL2023_ARM_64_STANDARD" if _ARM.match(machine_types[0]) else "AL2023_x86_64_STANDARD"


def group_name(cluster_name: str) -> str:
    """What the nodes of a cluster are called."""
    return physical_name(cluster_name, "nodes", limit=63)


def name_prefix(group: str) -> str:
    """What the names of the groups begin with that are called so: the provider adds 26 characters, EKS takes 63."""
    return f"{physical_name(group, limit=36)}-"


def is_as_wanted(wanted: NodePool, running: Sequence[RunningNodes]) -> bool:
    """Whether one of the groups has these bounds and machines: then its number of nodes is the autoscaler's."""
    return any(
        (group.minimum, group.maximum, set(group.machine_types))
        == (wanted.minimum, wanted.maximum, set(wanted.machine_types))
        for group in running
    )


def desired_size(wanted: NodePool, running: Sequence[RunningNodes]) -> int:
    """How many nodes a group starts with, or keeps when its bounds change: as many as run, within the new bounds."""
    now = max((group.desired for group in running), default=wanted.minimum)
    return max(wanted.minimum, min(wanted.maximum, now))


# A third of the nodes at a time, and EKS lets each third a quarter of an hour for its pods alone; small groups go node
# by node. The provider gives up after an hour, which ends the run while EKS goes on, and the next one is refused until
# that is done: https://docs.aws.amazon.com/eks/latest/userguide/managed-node-update-behavior.html,
# https://github.com/cloudposse/terraform-aws-eks-node-group/pull/70
_TIMEOUTS = pulumi.CustomTimeouts(create="3h", update="3h", delete="3h")


@dataclass(frozen=True)
class NodeGroupArgs:
    ownership: Ownership
    place: Place
    cluster_name: pulumi.Input[str]
    group_name: str
    kubernetes_version: str
    """The cluster's, which has it before its nodes do."""
    subnet_ids: tuple[pulumi.Input[str], ...]
    security_group_ids: tuple[pulumi.Input[str], ...]
    nodes: NodePool
    running: tuple[RunningNodes, ...] = ()


class NodeGroup(pulumi.ComponentResource):
    """A managed node group on Amazon Linux 2023: encrypted disks, IMDSv2 that pods cannot reach, one role.

    The number of nodes between minimum and maximum belongs to the autoscaler: a program that changes neither leaves
    it alone. A change that needs a new group (other machine types, say) makes it before the old one goes, with as many
    nodes, so each group has a name of its own: workloads move over, and the cluster is never without nodes.
    """

    group_name: pulumi.Output[str]

    def __init__(self, name: str, args: NodeGroupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:aws:NodeGroup", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        marks = tags.aws(args.ownership, name=args.group_name)
        role = iam.Role(
            f"{name}-role",
            name=physical_name(args.group_name, "node", limit=64),
            assume_role_policy=assumed_by("ec2.amazonaws.com"),
            tags=marks,
            opts=child,
        )
        attachments = [
            iam.RolePolicyAttachment(
                f"{name}-{policy}",
                role=role.name,
                policy_arn=managed_policy(args.place, policy),
                opts=child,
            )
            for policy in POLICIES
        ]
        template = ec2.LaunchTemplate(
            f"{name}-template",
            name=physical_name(args.group_name, limit=125),
            update_default_version=True,
            vpc_security_group_ids=list(args.security_group_ids),
            # A hop limit of 1 keeps the node's own credentials from pods:
            # https://docs.aws.amazon.com/eks/latest/best-practices/identity-and-access-management.html
            metadata_options={"http_endpoint": "enabled", "http_tokens": "required", "http_put_response_hop_limit": 1},
            block_device_mappings=[
                {
                    "device_name": "/dev/xvda",
                    "ebs": {
                        "volume_size": args.nodes.disk_gib,
                        "volume_type": "gp3",
                        "encrypted": "true",
                        "delete_on_termination": "true",
                    },
                }
            ],
            tag_specifications=[
                {"resource_type": "instance", "tags": marks},
                {"resource_type": "volume", "tags": marks},
            ],
            tags=marks,
            opts=child,
        )
        group = eks.NodeGroup(
            f"{name}-group",
            cluster_name=args.cluster_name,
            # Without it the nodes stay at the version that they were made with. The image's release is left to EKS: the
            # latest with each new version, and in between whenever somebody asks for it (docs/deploy.md).
            # https://docs.aws.amazon.com/eks/latest/APIReference/API_UpdateNodegroupVersion.html
            version=args.kubernetes_version,
            node_group_name_prefix=name_prefix(args.group_name),
            node_role_arn=role.arn,
            subnet_ids=list(args.subnet_ids),
            scaling_config={
                "min_size": args.nodes.minimum,
                "max_size": args.nodes.maximum,
                "desired_size": desired_size(args.nodes, args.running),
            },
            instance_types=list(args.nodes.machine_types),
            ami_type=ami_type(args.nodes.machine_types),
            capacity_type="ON_DEMAND",
            launch_template={"id": template.id, "version": template.latest_version.apply(str)},
            update_config={"max_unavailable_percentage": 33},
            tags=marks,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=attachments,
                custom_timeouts=_TIMEOUTS,
                # What is ignored is not left out: with any other change of scalingConfig the provider sends the number
                # that the state holds, which is that of the group's creation, and EKS ends the nodes above it at once.
                # https://docs.aws.amazon.com/eks/latest/APIReference/API_NodegroupScalingConfig.html
                # https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/eks/node_group.go
                # So it is ignored only as long as nothing else of it changes.
                ignore_changes=["scalingConfig.desiredSize"] if is_as_wanted(args.nodes, args.running) else None,
            ),
        )
        self.group_name = group.node_group_name
        self.register_outputs({"group_name": self.group_name})
