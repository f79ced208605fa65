"""Object storage."""

from __future__ import annotations

from collections.abc import Sequence

from policies.rules import UNKNOWN, Finding, Findings, Planned, Settings, flag, joined

BUCKETS = frozenset({"aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2"})
BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
ACCOUNT_BLOCK = "aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock"
# Each is false where it is absent: pulumi.com/registry/packages/aws/api-docs/s3/bucketpublicaccessblock
# and s3/accountpublicaccessblock
FLAGS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")


def bucket_public_access_blocked(resources: Sequence[Planned], settings: Settings) -> Findings:
    """Every bucket has a public access block, and every block blocks all four ways in.

    One of the account counts for no bucket, because another stack may take it away; one that leaves a way open takes
    it away from the buckets of the whole account. An access point is as closed as its bucket, whatever it says.
    """
    blocks = [resource for resource in resources if resource.type == BLOCK]
    for block in (*blocks, *(resource for resource in resources if resource.type == ACCOUNT_BLOCK)):
        for name in FLAGS:
            value = flag(block.properties, name, default=False)
            if value is UNKNOWN:
                yield Finding(name, f"{block.name} may leave a way open", certain=False, urn=block.urn)
            elif not value:
                yield Finding(name, f"of {block.name} is not true", urn=block.urn)
    for bucket in (resource for resource in resources if resource.type in BUCKETS):
        bucket_name = bucket.properties.get("bucket")
        references = [(block.properties.get("bucket"), block.links.get("bucket", ())) for block in blocks]
        if any(joined(value, link, bucket, bucket_name) for value, link in references):
            continue
        if any(value is UNKNOWN and not link for value, link in references):
            yield Finding("", f"bucket {bucket.name} may be the one that a block names", certain=False, urn=bucket.urn)
        else:
            yield Finding("", f"bucket {bucket.name} has no BucketPublicAccessBlock", urn=bucket.urn)
