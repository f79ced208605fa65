"""What a node autoscaler needs on AWS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from components.aws.arn import arn
from components.aws.workload_role import ANNOTATION, WorkloadRole, WorkloadRoleArgs
from components.contracts.node_scaling import NodeScalingArgs
from components.naming import physical_name

OWNED_TAG = "k8s.io/cluster-autoscaler/"
"""EKS marks the Auto Scaling group of a managed node group with this and `enabled`, and with this and the cluster's
name: https://docs.aws.amazon.com/eks/latest/userguide/managed-node-groups.html"""


class NodeScaling(pulumi.ComponentResource):
    """A role that reads Auto Scaling groups and changes the size of this cluster's alone, for one service account; and
    the arguments by which the autoscaler finds them."""

    service_account_annotations: pulumi.Output[Mapping[str, str]]
    arguments: Sequence[pulumi.Output[str]]
    environment: Mapping[str, str]

    def __init__(self, name: str, args: NodeScalingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:aws:NodeScaling", name, None, opts)
        role = WorkloadRole(
            f"{name}-role",
            WorkloadRoleArgs(
                ownership=args.ownership,
                role_name=physical_name(args.physical_name, "node-autoscaler", limit=64),
                oidc_issuer=args.oidc_issuer,
                oidc_provider=args.oidc_provider,
                service_accounts=(args.service_account,),
                statements=_statements(args),
            ),
            pulumi.ResourceOptions(parent=self),
        )
        self.service_account_annotations = role.arn.apply(lambda arn: {ANNOTATION: arn})
        self.arguments = [
            pulumi.Output.from_input("--cloud-provider=aws"),
            pulumi.Output.concat(
                f"--node-group-auto-discovery=asg:tag={OWNED_TAG}enabled,{OWNED_TAG}", args.cluster_name
            ),
        ]
        # Without a region the SDK asks the machine's metadata service, which pods cannot reach; regional endpoints of
        # STS survive the loss of another region.
        self.environment = {"AWS_REGION": args.place.region, "AWS_STS_REGIONAL_ENDPOINTS": "regional"}
        self.register_outputs({"service_account_annotations": self.service_account_annotations})


def _statements(args: NodeScalingArgs) -> list[dict[str, Any]]:
    # https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/cloudprovider/aws/README.md#iam-policy
    cluster = pulumi.Output.from_input(args.cluster_name)
    return [
        {
            # None of these takes a resource: https://docs.aws.amazon.com/service-authorization/latest/reference/
            "Sid": "Look",
            "Effect": "Allow",
            "Action": [
                "autoscaling:DescribeAutoScalingGroups",
                "autoscaling:DescribeAutoScalingInstances",
                "autoscaling:DescribeLaunchConfigurations",
                "autoscaling:DescribeScalingActivities",
                "autoscaling:DescribeTags",
                "ec2:DescribeImages",
                "ec2:DescribeInstanceTypes",
                "ec2:DescribeLaunchTemplateVersions",
                "ec2:GetInstanceTypesFromInstanceRequirements",
            ],
            "Resource": "*",
        },
        {
            "Sid": "NodeGroups",
            "Effect": "Allow",
            "Action": "eks:DescribeNodegroup",
            "Resource": pulumi.Output.concat(arn(args.place, "eks", "nodegroup/"), cluster, "/*"),
        },
        {
            # The tag's key holds the cluster's name, so the condition is made from an output.
            "Sid": "Size",
            "Effect": "Allow",
            "Action": ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"],
            "Resource": arn(args.place, "autoscaling", "autoScalingGroup:*"),
            "Condition": cluster.apply(lambda name: {"StringEquals": {f"aws:ResourceTag/{OWNED_TAG}{name}": "owned"}}),
        },
    ]
