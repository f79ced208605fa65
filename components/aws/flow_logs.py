"""A record of the traffic of a network."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_aws import cloudwatch, ec2, iam

from components import tags
from components.aws.arn import arn
from components.aws.policy_document import assumed_by, policy_document
from components.contracts.place import Place
from components.naming import physical_name
from components.tags import Ownership


@dataclass(frozen=True)
class FlowLogsArgs:
    ownership: Ownership
    place: Place
    network_name: str
    network_id: pulumi.Input[str]
    retention_days: int


class FlowLogs(pulumi.ComponentResource):
    """Flow logs of all traffic of a VPC into a log group of its own, by a role that can write to that group only."""

    log_group: pulumi.Output[str]

    def __init__(self, name: str, args: FlowLogsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:aws:FlowLogs", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        marks = tags.aws(args.ownership, name=f"{args.network_name}-flow-logs")
        group = cloudwatch.LogGroup(
            f"{name}-group",
            name=f"/freehold/{args.network_name}/flow-logs",
            retention_in_days=args.retention_days,
            tags=marks,
            opts=child,
        )
        # https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html, confused deputy included
        role = iam.Role(
            f"{name}-role",
            name=physical_name(args.network_name, "flow-logs", limit=64),
            assume_role_policy=assumed_by(
                "vpc-flow-logs.amazonaws.com",
                {
                    "StringEquals": {"aws:SourceAccount": args.place.account},
                    "ArnLike": {"aws:SourceArn": arn(args.place, "ec2", "vpc-flow-log/*")},
                },
            ),
            tags=marks,
            opts=child,
        )
        may_write = iam.RolePolicy(
            f"{name}-may-write",
            role=role.id,
            policy=policy_document(
                {
                    "Effect": "Allow",
                    "Action": [
                        "logs:CreateLogStream",
                        "logs:PutLogEvents",
                        "logs:DescribeLogStreams",
                    ],
                    "Resource": pulumi.Output.concat(group.arn, ":*"),
                },
                # It lists groups, so it names none.
                {"Effect": "Allow", "Action": "logs:DescribeLogGroups", "Resource": "*"},
            ),
            opts=child,
        )
        ec2.FlowLog(
            f"{name}-log",
            vpc_id=args.network_id,
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_destination=group.arn,
            iam_role_arn=role.arn,
            max_aggregation_interval=600,
            tags=marks,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[may_write]),
        )
        self.log_group = group.name
        self.register_outputs({"log_group": self.log_group})
