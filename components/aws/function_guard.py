"""The security group of a function that talks to a database."""

from __future__ import annotations

import pulumi
from pulumi_aws import ec2, vpc

from components import tags
from components.aws.postgres import PORT
from components.contracts.function_guard import FunctionGuardArgs
from components.naming import physical_name


class FunctionGuard(pulumi.ComponentResource):
    """Lets nothing in, and out only to databases and, by TLS, to AWS' own services.

    A database lets it in by its id, so it is made before both the database and the function.
    """

    security_group_id: pulumi.Output[str]

    def __init__(self, name: str, args: FunctionGuardArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:aws:FunctionGuard", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        marks = tags.aws(args.ownership, name=args.function_name)
        group = ec2.SecurityGroup(
            f"{name}-group",
            name=physical_name(args.function_name, "function", limit=255),
            description=f"Of the function {args.function_name}",
            vpc_id=args.network_id,
            tags=marks,
            opts=child,
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
        self.register_outputs({"security_group_id": self.security_group_id})
