"""A record in Secrets Manager."""

from __future__ import annotations

import pulumi
from pulumi_aws import secretsmanager

from components import tags
from components.contracts.stored_secret import StoredSecretArgs


class StoredSecret(pulumi.ComponentResource):
    """A secret and its current value, JSON. What others pass around is the reference: the secret's ARN."""

    reference: pulumi.Output[str]

    def __init__(self, name: str, args: StoredSecretArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:aws:StoredSecret", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        secret = secretsmanager.Secret(
            f"{name}-secret",
            name=args.secret_name,
            description=args.description,
            kms_key_id=args.key,
            recovery_window_in_days=args.recovery_days,
            tags=tags.aws(args.ownership, name=args.secret_name),
            opts=child,
        )
        value: pulumi.Output[str] = pulumi.Output.secret(pulumi.Output.json_dumps(args.value))
        version = secretsmanager.SecretVersion(
            f"{name}-value",
            secret_id=secret.id,
            secret_string=value,
            opts=child,
        )
        # Who takes the reference finds a value behind it.
        self.reference = pulumi.Output.all(secret.arn, version.id).apply(lambda known: str(known[0]))
        self.register_outputs({"reference": self.reference})
