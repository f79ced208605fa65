"""A customer-managed encryption key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_aws import kms

from components import tags
from components.aws.arn import account_root
from components.contracts import Place
from components.tags import Ownership


@dataclass(frozen=True)
class KeyArgs:
    ownership: Ownership
    purpose: str
    """What is encrypted, for people."""
    alias: str
    """Without the leading `alias/`."""
    place: Place
    """The IAM policies of its account decide who administers and uses the key."""
    grants: Sequence[Mapping[str, Any]] = ()
    """Further statements of the key policy, for AWS services that use the key by themselves."""
    protect: bool = False
    """Whether a program may delete it."""


class Key(pulumi.ComponentResource):
    """A symmetric KMS key that is rotated every year, and its alias.

    A deleted key can be brought back for 30 days, the longest that KMS offers: what it encrypted is lost with it.
    """

    arn: pulumi.Output[str]
    key_id: pulumi.Output[str]

    def __init__(self, name: str, args: KeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:aws:Key", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        # Without this statement IAM policies of the account do not apply to the key, and nobody could administer it:
        # https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
        account_decides = {
            "Sid": "AccountDecides",
            "Effect": "Allow",
            "Principal": {"AWS": account_root(args.place)},
            "Action": "kms:*",
            "Resource": "*",
        }
        key = kms.Key(
            f"{name}-key",
            description=args.purpose,
            enable_key_rotation=True,
            rotation_period_in_days=365,
            deletion_window_in_days=30,
            policy=pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": [account_decides, *args.grants]}),
            tags=tags.aws(args.ownership, name=name),
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        kms.Alias(f"{name}-alias", name=f"alias/{args.alias}", target_key_id=key.key_id, opts=child)
        self.arn = key.arn
        self.key_id = key.key_id
        self.register_outputs({"arn": self.arn, "key_id": self.key_id})
