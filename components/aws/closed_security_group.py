"""A security group around one service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_aws import ec2, vpc

from components import tags
from components.naming import key as key_of
from components.naming import physical_name
from components.tags import Ownership


@dataclass(frozen=True)
class ClosedSecurityGroupArgs:
    ownership: Ownership
    service: str
    """Physical name of what is guarded."""
    network_id: pulumi.Input[str]
    port: int
    clients: Mapping[str, pulumi.Input[str]]
    """Security groups that are let in, each under a stable key."""
    cidrs: tuple[str, ...] = ()
    """Private networks that are let in."""


class ClosedSecurityGroup(pulumi.ComponentResource):
    """Lets the named security groups and networks in on one TCP port, and nothing else in or out."""

    security_group_id: pulumi.Output[str]

    def __init__(self, name: str, args: ClosedSecurityGroupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:aws:ClosedSecurityGroup", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        marks = tags.aws(args.ownership, name=args.service)
        group = ec2.SecurityGroup(
            f"{name}-group",
            name=physical_name(args.service, limit=255),
            description=f"Guards {args.service}",
            vpc_id=args.network_id,
            tags=marks,
            opts=child,
        )
        for client, security_group in sorted(args.clients.items()):
            vpc.SecurityGroupIngressRule(
                f"{name}-from-{client}",
                security_group_id=group.id,
                referenced_security_group_id=security_group,
                ip_protocol="tcp",
                from_port=args.port,
                to_port=args.port,
                description=f"From {client}",
                tags=marks,
                opts=child,
            )
        for cidr in args.cidrs:
            vpc.SecurityGroupIngressRule(
                f"{name}-from-{key_of(cidr)}",
                security_group_id=group.id,
                cidr_ipv4=cidr,
                ip_protocol="tcp",
                from_port=args.port,
                to_port=args.port,
                description="From operators",
                tags=marks,
                opts=child,
            )
        self.security_group_id = group.id
        self.register_outputs({"security_group_id": self.security_group_id})
