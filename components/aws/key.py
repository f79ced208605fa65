"""A customer-managed encryption key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_aws import kms

from components import tags
from components.aws.arn import account_root
from components.contracts.place import Place
from components.tags import Ownership


@dataclass(frozen=True)
class KeyArgs:
    ownership: Ownership
    purpose: str
    """What is encrypted, for people."""
    alias: str
    """Without the leading `alias/`."""
    place: Place
    """Only its account administers and uses the key, as far as the account's IAM policies let somebody."""
    services: tuple[str, ...]
    """AWS services through which the account uses the key (`rds`, `s3`): nobody decrypts with it directly."""
    grants: Sequence[Mapping[str, Any]] = ()
    """Further statements of the key policy, for what a service does with the key by itself."""
    protect: bool = False
    """Whether a program may delete it."""


ADMINISTRATION = (
    "kms:CancelKeyDeletion", "kms:CreateAlias", "kms:DeleteAlias", "kms:Describe*", "kms:Disable*", "kms:Enable*",
    "kms:Get*", "kms:List*", "kms:Put*", "kms:RetireGrant", "kms:RevokeGrant", "kms:RotateKeyOnDemand",
    "kms:ScheduleKeyDeletion", "kms:TagResource", "kms:UntagResource", "kms:Update*",
)  # fmt: skip
"""AWS' own list for administrators, without the right to make grants, by which they could let themselves decrypt:
https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html"""

USE = (
    "kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*",
)  # fmt: skip


class Key(pulumi.ComponentResource):
    """A symmetric KMS key that is rotated every year, and its alias.

    The account administers it; its contents are read only through the services that it was made for.

    A deleted key can be brought back for 30 days, the longest that KMS offers: what it encrypted is lost with it.
    """

    arn: pulumi.Output[str]
    key_id: pulumi.Output[str]

    def __init__(self, name: str, args: KeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:aws:Key", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        account = {"AWS": account_root(args.place)}
        # Without a statement for the account its IAM policies do not apply to the key, and nobody could administer it:
        # https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
        statements: list[Mapping[str, Any]] = [
            {
                "Sid": "AccountAdministers",
                "Effect": "Allow",
                "Principal": account,
                "Action": list(ADMINISTRATION),
                "Resource": "*",
            }
        ]
        if args.services:
            # https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service
            via = [f"{service}.{args.place.region}.amazonaws.com" for service in args.services]
            statements.append(
                {
                    "Sid": "AccountUsesThroughServices",
                    "Effect": "Allow",
                    "Principal": account,
                    "Action": list(USE),
                    "Resource": "*",
                    "Condition": {"StringEquals": {"kms:CallerAccount": args.place.account, "kms:ViaService": via}},
                }
            )
        key = kms.Key(
            f"{name}-key",
            description=args.purpose,
            enable_key_rotation=True,
            rotation_period_in_days=365,
            deletion_window_in_days=30,
            policy=pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": [*statements, *args.grants]}),
            tags=tags.aws(args.ownership, name=name),
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        kms.Alias(f"{name}-alias", name=f"alias/{args.alias}", target_key_id=key.key_id, opts=child)
        self.arn = key.arn
        self.key_id = key.key_id
        self.register_outputs({"arn": self.arn, "key_id": self.key_id})
