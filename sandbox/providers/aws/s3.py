"""S3: buckets and their settings."""

from __future__ import annotations

from typing import Any

from sandbox.providers.aws.api import ApiError
from sandbox.providers.aws.context import Context
from sandbox.providers.aws.table import AwsType, Call, Modify, Read, Tags, page, same
from sandbox.providers.interface import ProviderError
from sandbox.providers.typed import Autoname, Kind, matches

_GONE = ("NoSuchBucket", "404")
# https://docs.aws.amazon.com/general/latest/gr/s3.html: hosted zone ids of the website endpoints.
_HOSTED_ZONES = {
    "us-east-1": "Z3AQBSTGFYJSTF", "us-east-2": "Z2O1EMRO9K5GLX", "us-west-1": "Z2F56UZL2M1ACD",
    "us-west-2": "Z3BJ6K6RIION7M", "eu-west-1": "Z1BKCTXD74EZPE", "eu-west-2": "Z3GKZC51ZF0DB4",
    "eu-central-1": "Z21DNDUVLTQW6Q", "ap-southeast-1": "Z3O0J2DXBE1FTB", "ap-southeast-2": "Z1WCIGYICN2BYD",
    "ap-northeast-1": "Z2M4EHUR26P7ZW",
}  # fmt: skip


def _exists(context: Context, bucket: str) -> bool:
    try:
        context.call("head_bucket", Bucket=bucket)
    except ApiError as error:
        if error.code in _GONE:
            return False
        if error.code not in ("403", "AccessDenied"):  # somebody else's bucket
            raise
    return True


def _create(context: Context) -> str:
    bucket = str(context.inputs["bucket"])
    # In us-east-1 CreateBucket succeeds for a bucket that one owns already.
    if _exists(context, bucket):
        raise ProviderError(f"{bucket} exists already; import it, or choose another name")
    place: dict[str, Any] = {}
    if context.api.region != "us-east-1":
        place["CreateBucketConfiguration"] = {"LocationConstraint": context.api.region}
    if context.inputs.get("objectLockEnabled"):
        place["ObjectLockEnabledForBucket"] = True
    context.call("create_bucket", Bucket=bucket, **place)
    return bucket


def _read(context: Context) -> dict[str, Any] | None:
    if not _exists(context, context.id):
        return None
    region = context.call("get_bucket_location", Bucket=context.id).get("LocationConstraint") or "us-east-1"
    found = {
        "bucket": context.id,
        "region": region,
        "bucketRegion": region,
        "bucketDomainName": f"{context.id}.s3.amazonaws.com",
        "bucketRegionalDomainName": f"{context.id}.s3.{region}.amazonaws.com",
        "hostedZoneId": _HOSTED_ZONES.get(region),
        "objectLockEnabled": False,
    }
    try:
        lock = context.call("get_object_lock_configuration", Bucket=context.id).get("ObjectLockConfiguration") or {}
        found["objectLockEnabled"] = lock.get("ObjectLockEnabled") == "Enabled"
    except ApiError as error:
        if error.code != "ObjectLockConfigurationNotFoundError":
            raise
    return found


def _empty(context: Context) -> None:
    """`forceDestroy`: every object, version and delete marker goes before the bucket."""
    if not context.inputs.get("forceDestroy"):
        return
    for kind in ("Versions", "DeleteMarkers"):
        items = context.api.all("s3", "list_object_versions", kind, Bucket=context.id)
        for start in range(0, len(items), 1000):  # what one DeleteObjects takes
            keys = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in items[start : start + 1000]]
            context.call("delete_objects", Bucket=context.id, Delete={"Objects": keys, "Quiet": True})


BUCKET = AwsType(
    token="aws:s3/bucket:Bucket",
    kind=Kind.LIVE,
    documentation=page("s3/bucket"),
    service="s3",
    autoname=Autoname("bucket", 63, "bucketPrefix", lower=True),
    conflicts=(frozenset({"bucket", "bucketPrefix"}),),
    defaults={"forceDestroy": False},
    create_hook=_create,
    read_hook=_read,
    before_delete=_empty,
    delete=Call("delete_bucket", fixed={"Bucket": "{id}"}),
    replace_on=frozenset({"bucket", "bucketPrefix", "objectLockEnabled"}),
    computed=frozenset({"objectLockEnabled", "region"}),
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    rules=(
        matches(
            "bucket",
            r"(?!xn--|sthree-|.*-s3alias$)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
            "3 to 63 lower-case letters, digits, dots and hyphens, a letter or digit at both ends",
        ),
    ),
    settings=frozenset({"forceDestroy"}),
    hooked=frozenset({"bucket", "objectLockEnabled"}),
    missing=_GONE,
    tags=Tags(
        "put_bucket_tagging",
        "delete_bucket_tagging",
        {"Bucket": "{id}"},
        whole=True,
        tags="Tagging.TagSet",
        read="TagSet",
        read_operation="get_bucket_tagging",
        untagged=("NoSuchTagSet",),
    ),
    computed_outputs={"arn": "arn:{partition}:s3:::{id}"},
    operations=(
        "head_bucket", "create_bucket", "get_bucket_location", "get_object_lock_configuration", "list_object_versions",
        "delete_objects",
    ),
)  # fmt: skip


def _setting(
    name: str,
    put: Call,
    get: Read,
    *,
    missing: tuple[str, ...] = (),
    delete: str = "",
    **more: Any,
) -> AwsType:
    """A setting of a bucket: one operation puts it whole, its id is the bucket."""
    put = Call(put.operation, put.fields, {"Bucket": "{bucket}", **put.fixed})
    return AwsType(
        token=f"aws:s3/{name[0].lower()}{name[1:]}:{name}",
        kind=Kind.LIVE,
        documentation=page(f"s3/{name.lower()}"),
        service="s3",
        create=put,
        id_form="{bucket}",
        replace_on=frozenset({"bucket"}) | more.pop("replace_on", frozenset()),
        hooked=frozenset({"bucket"}),
        reads=(Read(get.operation, {"Bucket": "{id}"}, get.select, get.fields),),
        observe=more.pop("observe", _of_bucket),
        modifies=(Modify(put.operation, put.fields, put.fixed, whole=True),),
        delete=Call(delete, fixed={"Bucket": "{bucket}"}) if delete else None,
        missing=(*_GONE, *missing),
        **more,
    )


def _of_bucket(context: Context, found: dict[str, Any]) -> None:
    found["bucket"] = context.id


_BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")

PUBLIC_ACCESS_BLOCK = _setting(
    "BucketPublicAccessBlock",
    Call("put_public_access_block", {n: f"PublicAccessBlockConfiguration.{n[0].upper()}{n[1:]}" for n in _BLOCKS}),
    Read("get_public_access_block", select="PublicAccessBlockConfiguration", fields=same(*_BLOCKS)),
    delete="delete_public_access_block",
    missing=("NoSuchPublicAccessBlockConfiguration",),
    defaults=dict.fromkeys(_BLOCKS, False),
)

ENCRYPTION = _setting(
    "BucketServerSideEncryptionConfiguration",
    Call("put_bucket_encryption", {"rules": "ServerSideEncryptionConfiguration.Rules"}),
    Read("get_bucket_encryption", fields={"rules": "ServerSideEncryptionConfiguration.Rules"}),
    delete="delete_bucket_encryption",
    missing=("ServerSideEncryptionConfigurationNotFoundError",),
    sets=frozenset({"rules"}),
)


def _suspend(context: Context) -> None:
    """Versioning cannot be taken away, only suspended."""
    status = context.call("get_bucket_versioning", Bucket=context.id).get("Status")
    if status == "Enabled":
        context.call("put_bucket_versioning", Bucket=context.id, VersioningConfiguration={"Status": "Suspended"})


VERSIONING = _setting(
    "BucketVersioning",
    Call("put_bucket_versioning", {"versioningConfiguration": "VersioningConfiguration"}),
    # A bucket that was never versioned answers with nothing.
    Read("get_bucket_versioning", select="[@][?Status] | [0]", fields={"versioningConfiguration": "@"}),
    delete_hook=_suspend,
    operations=("put_bucket_versioning",),
)

LIFECYCLE = _setting(
    "BucketLifecycleConfiguration",
    Call(
        "put_bucket_lifecycle_configuration",
        {
            "rules": "LifecycleConfiguration.Rules",
            "transitionDefaultMinimumObjectSize": "TransitionDefaultMinimumObjectSize",
        },
    ),
    Read(
        "get_bucket_lifecycle_configuration",
        fields={"rules": "Rules", "transitionDefaultMinimumObjectSize": "TransitionDefaultMinimumObjectSize"},
    ),
    delete="delete_bucket_lifecycle",
    missing=("NoSuchLifecycleConfiguration",),
    computed=frozenset({"transitionDefaultMinimumObjectSize"}),
)

POLICY = _setting(
    "BucketPolicy",
    Call("put_bucket_policy", {"policy": "Policy"}),
    Read("get_bucket_policy", fields={"policy": "Policy"}),
    delete="delete_bucket_policy",
    missing=("NoSuchBucketPolicy",),
    documents=frozenset({"policy"}),
    probe=True,
)

OWNERSHIP = _setting(
    "BucketOwnershipControls",
    Call("put_bucket_ownership_controls", {"rule": "OwnershipControls.Rules"}),
    Read("get_bucket_ownership_controls", fields={"rule": "OwnershipControls.Rules"}),
    delete="delete_bucket_ownership_controls",
    missing=("OwnershipControlsNotFoundError",),
)

TYPES = (BUCKET, PUBLIC_ACCESS_BLOCK, ENCRYPTION, VERSIONING, LIFECYCLE, POLICY, OWNERSHIP)
