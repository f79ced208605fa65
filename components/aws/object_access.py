"""One tenant's right to its prefix of a shared bucket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

from components.aws.workload_role import ANNOTATION, WorkloadRole, WorkloadRoleArgs
from components.contracts.object_access import ObjectAccessArgs

# It holds for credentials and presigned addresses that were given before as well, which closing the trust does not end:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html
_NOTHING = {"Sid": "Suspended", "Effect": "Deny", "Action": "*", "Resource": "*"}


class ObjectAccess(pulumi.ComponentResource):
    """An IAM role that reads, writes and lists below one prefix, and that only named service accounts can take."""

    role: pulumi.Output[str]
    service_account_annotations: pulumi.Output[Mapping[str, str]]

    def __init__(self, name: str, args: ObjectAccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        if not args.prefix.endswith("/"):
            raise ValueError(f"prefix {args.prefix!r} lacks its closing slash: it would match other tenants' objects")
        super().__init__("freehold:aws:ObjectAccess", name, None, opts)
        role = WorkloadRole(
            f"{name}-role",
            WorkloadRoleArgs(
                ownership=args.ownership,
                role_name=args.role_name,
                oidc_issuer=args.oidc_issuer,
                oidc_provider=args.oidc_provider,
                service_accounts=args.service_accounts,
                statements=[_NOTHING] if args.suspended else statements(args.bucket, args.key, args.prefix),
                closed=args.suspended,
                boundary=args.boundary,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        self.role = role.arn
        self.service_account_annotations = role.arn.apply(lambda arn: {ANNOTATION: arn})
        self.register_outputs({"role": self.role})


def statements(bucket: pulumi.Input[str], key: pulumi.Input[str], prefix: str) -> list[dict[str, Any]]:
    """What it takes to read, write and list below `prefix`, which ends in a slash."""
    bucket = pulumi.Output.from_input(bucket)
    return [
        {
            "Sid": "List",
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": bucket,
            # A list without a prefix has no such key and is refused, as is the prefix without its slash.
            "Condition": {"StringLike": {"s3:prefix": [f"{prefix}*"]}},
        },
        {
            "Sid": "Objects",
            "Effect": "Allow",
            "Action": [
                "s3:GetObject",
                "s3:GetObjectVersion",
                "s3:PutObject",
                "s3:DeleteObject",
                "s3:AbortMultipartUpload",
                "s3:ListMultipartUploadParts",
            ],
            "Resource": pulumi.Output.concat(bucket, "/", prefix, "*"),
        },
        {
            # The bucket's key, through S3 and for this bucket only: with a bucket key the encryption context is
            # the bucket's ARN. https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html
            "Sid": "Encryption",
            "Effect": "Allow",
            "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
            "Resource": key,
            "Condition": {"StringEquals": {"kms:EncryptionContext:aws:s3:arn": bucket}},
        },
    ]
