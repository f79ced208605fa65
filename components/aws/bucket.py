"""An object store on S3."""

from __future__ import annotations

import pulumi
from pulumi_aws import s3

from components import tags
from components.aws.key import Key, KeyArgs
from components.contracts.bucket import BucketArgs
from components.naming import physical_name


class Bucket(pulumi.ComponentResource):
    """A bucket that is private, encrypted by a key of its own, versioned and reached over TLS only.

    Replaced and deleted objects can be brought back for a while, unfinished uploads go after a week, and access
    lists are off: policies alone decide. A protected bucket is neither deleted nor emptied by a program.
    """

    bucket_name: pulumi.Output[str]
    bucket: pulumi.Output[str]
    key: pulumi.Output[str]

    def __init__(self, name: str, args: BucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:aws:Bucket", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        guarded = pulumi.ResourceOptions(parent=self, protect=args.protect)
        key = Key(
            f"{name}-encryption",
            KeyArgs(
                ownership=args.ownership,
                place=args.place,
                purpose=f"Objects in the bucket {args.bucket_name}",
                alias=physical_name(args.bucket_name, limit=64),
                services=("s3",),
                protect=args.protect,
            ),
            child,
        )
        bucket = s3.Bucket(
            f"{name}-bucket",
            bucket=args.bucket_name,
            # Without protection the environment is one that may be thrown away, objects included.
            force_destroy=not args.protect,
            tags=tags.aws(args.ownership, name=args.bucket_name),
            opts=guarded,
        )
        closed = s3.BucketPublicAccessBlock(
            f"{name}-closed",
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child,
        )
        s3.BucketOwnershipControls(
            f"{name}-ownership", bucket=bucket.id, rule={"object_ownership": "BucketOwnerEnforced"}, opts=child
        )
        s3.BucketServerSideEncryptionConfiguration(
            f"{name}-at-rest",
            bucket=bucket.id,
            rules=[
                {
                    "apply_server_side_encryption_by_default": {
                        "sse_algorithm": "aws:kms",
                        "kms_master_key_id": key.arn,
                    },
                    "bucket_key_enabled": True,
                }
            ],
            opts=child,
        )
        versioning = s3.BucketVersioning(
            f"{name}-versions", bucket=bucket.id, versioning_configuration={"status": "Enabled"}, opts=child
        )
        # Rules about versions may only follow once versioning is on:
        # https://www.pulumi.com/registry/packages/aws/api-docs/s3/bucketlifecycleconfiguration/
        s3.BucketLifecycleConfiguration(
            f"{name}-lifecycle",
            bucket=bucket.id,
            rules=[
                {
                    "id": "replaced-and-deleted",
                    "status": "Enabled",
                    "filter": {"prefix": ""},
                    "noncurrent_version_expiration": {"noncurrent_days": args.noncurrent_retention_days},
                    "expiration": {"expired_object_delete_marker": True},
                },
                {
                    "id": "unfinished-uploads",
                    "status": "Enabled",
                    "filter": {"prefix": ""},
                    "abort_incomplete_multipart_upload": {"days_after_initiation": 7},
                },
            ],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[versioning]),
        )
        s3.BucketPolicy(
            f"{name}-tls-only",
            bucket=bucket.id,
            policy=pulumi.Output.json_dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Sid": "TlsOnly",
                            "Effect": "Deny",
                            "Principal": "*",
                            "Action": "s3:*",
                            "Resource": [bucket.arn, pulumi.Output.concat(bucket.arn, "/*")],
                            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                        }
                    ],
                }
            ),
            # S3 refuses two changes of one bucket's access settings at the same time.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[closed]),
        )
        self.bucket_name = bucket.bucket
        self.bucket = bucket.arn
        self.key = key.arn
        self.register_outputs({"bucket_name": self.bucket_name, "bucket": self.bucket, "key": self.key})
