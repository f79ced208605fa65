"""The security group and the role of a function that talks to a database."""

from __future__ import annotations

import pulumi
from pulumi_aws import ec2, iam, vpc

from components import tags
from components.aws.arn import managed_policy
from components.aws.policy_document import assumed_by
from components.aws.postgres import PORT
from components.contracts.function_guard import FunctionGuardArgs
from components.naming import physical_name


class FunctionGuard(pulumi.ComponentResource):
    """Lets nothing in, and out only to databases and, by TLS, to AWS' own services.

    A database lets it in by its id, so it is made before both the database and the function.

    Lambda makes the function's interfaces in the network as the function's role, and takes them away as that too, up to
    three quarters of an hour after the function has gone; until then nobody can delete their security group. So the
    role is made before the group and goes after it: https://github.com/awslabs/aws-support-tools/pull/174,
    https://github.com/hashicorp/terraform-provider-aws/issues/10329
    """

    security_group_id: pulumi.Output[str]
    role: pulumi.Output[str]
    role_name: pulumi.Output[str]

    def __init__(self, name: str, args: FunctionGuardArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:aws:FunctionGuard", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        marks = tags.aws(args.ownership, name=args.function_name)
        role = iam.Role(
            f"{name}-role",
            name=physical_name(args.function_name, "function", limit=64),
            assume_role_policy=assumed_by("lambda.amazonaws.com"),
            tags=marks,
            opts=child,
        )
        attaches = iam.RolePolicyAttachment(
            f"{name}-attaches",
            role=role.name,
            policy_arn=managed_policy(args.place, "service-role/AWSLambdaENIManagementAccess"),
            opts=child,
        )
        group = ec2.SecurityGroup(
            f"{name}-group",
            name=physical_name(args.function_name, "function", limit=255),
            description=f"Of the function {args.function_name}",
            vpc_id=args.network_id,
            tags=marks,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[attaches]),
        )
        ways = [(f"database-{index}", cidr, PORT, "To the database") for index, cidr in enumerate(args.data_cidrs)]
        for way, cidr, port, description in [*ways, ("services", "0.0.0.0/0", 443, "To the secret manager")]:
            vpc.SecurityGroupEgressRule(
                f"{name}-to-{way}",
                security_group_id=group.id,
                cidr_ipv4=cidr,
                ip_protocol="tcp",
                from_port=port,
                to_port=port,
                description=description,
                tags=marks,
                opts=child,
            )
        self.security_group_id = group.id
        # Lambda checks what the role may do when it attaches a function to a network.
        self.role = pulumi.Output.all(role.arn, attaches.id).apply(lambda known: str(known[0]))
        self.role_name = role.name
        self.register_outputs({"security_group_id": self.security_group_id})
