"""What lies around a server that keeps data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_random as random

from components.aws.closed_security_group import ClosedSecurityGroup, ClosedSecurityGroupArgs
from components.aws.key import Key, KeyArgs
from components.contracts.place import Place
from components.naming import physical_name
from components.tags import Ownership


@dataclass(frozen=True)
class EnclosureArgs:
    ownership: Ownership
    place: Place
    identifier: str
    """The server's physical name."""
    contents: str
    """What the key encrypts, for people."""
    key_services: tuple[str, ...]
    """The names under which the AWS service that runs the server uses the key for it (`rds`)."""
    network_id: pulumi.Input[str]
    port: int
    clients: Mapping[str, pulumi.Input[str]]
    """Security groups that are let in, each under a stable key."""
    protect: bool
    cidrs: tuple[str, ...] = ()
    """Private networks that are let in."""
    replaced_by: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """Inputs whose change replaces the server, beside its identifier and key."""


class Enclosure(pulumi.ComponentResource):
    """A key for the server's data and for the secret that tells how to log in, a security group that only named clients
    pass, and a name for its final snapshot.

    A server under its old name that was replaced leaves a snapshot, and so does the next one: the name is new whenever
    something changes that replaces the server, and the same otherwise.
    """

    key: pulumi.Output[str]
    security_group_id: pulumi.Output[str]
    final_snapshot: pulumi.Output[str]

    def __init__(self, name: str, args: EnclosureArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:aws:Enclosure", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        key = Key(
            f"{name}-encryption",
            KeyArgs(
                ownership=args.ownership,
                place=args.place,
                purpose=f"{args.contents} {args.identifier}",
                alias=physical_name(args.identifier, limit=64),
                services=(*args.key_services, "secretsmanager"),
                protect=args.protect,
            ),
            child,
        )
        guard = ClosedSecurityGroup(
            f"{name}-guard",
            ClosedSecurityGroupArgs(
                ownership=args.ownership,
                service=args.identifier,
                network_id=args.network_id,
                port=args.port,
                clients=args.clients,
                cidrs=args.cidrs,
            ),
            child,
        )
        snapshot = random.RandomId(
            f"{name}-final-snapshot",
            byte_length=4,
            keepers={"identifier": args.identifier, "key": key.arn, **args.replaced_by},
            opts=child,
        )
        self.key = key.arn
        self.security_group_id = guard.security_group_id
        self.final_snapshot = pulumi.Output.concat(args.identifier, "-final-", snapshot.hex)
        self.register_outputs(
            {
                "key": self.key,
                "security_group_id": self.security_group_id,
                "final_snapshot": self.final_snapshot,
            }
        )
