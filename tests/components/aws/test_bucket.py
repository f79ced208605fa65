"""The bucket: private, encrypted, versioned."""

from __future__ import annotations

import pytest

from components.aws.bucket import Bucket
from tests.components import samples
from tests.components.recording import declare


@pytest.mark.parametrize("protect", [False, True])
def test_private_encrypted_versioned(protect: bool) -> None:
    recording = declare(lambda: Bucket("objects", samples.bucket(protect=protect)))
    closed = recording.inputs("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock")
    assert {key: closed[key] for key in closed if key != "bucket"} == dict.fromkeys(
        ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"), True
    )
    encryption = recording.inputs(
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    )["rules"][0]
    assert encryption["applyServerSideEncryptionByDefault"]["sseAlgorithm"] == "aws:kms"
    versioning = recording.inputs("aws:s3/bucketVersioning:BucketVersioning")
    assert versioning["versioningConfiguration"]["status"] == "Enabled"
    rules = recording.inputs("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration")["rules"]
    assert rules[0]["noncurrentVersionExpiration"]["noncurrentDays"] == 30
    bucket = recording.one("aws:s3/bucket:Bucket")
    assert bucket.protect is protect
    assert recording.one("aws:kms/key:Key").protect is protect
    assert bucket.plain()["forceDestroy"] is not protect


def test_tls_only() -> None:
    recording = declare(lambda: Bucket("objects", samples.bucket()))
    (statement,) = recording.one("aws:s3/bucketPolicy:BucketPolicy").document()["Statement"]
    assert statement["Effect"] == "Deny" and statement["Principal"] == "*"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert len(statement["Resource"]) == 2


def test_access_lists_are_off() -> None:
    recording = declare(lambda: Bucket("objects", samples.bucket()))
    ownership = recording.inputs("aws:s3/bucketOwnershipControls:BucketOwnershipControls")
    assert ownership["rule"] == {"objectOwnership": "BucketOwnerEnforced"}
    # S3 refuses two changes of one bucket's access settings at the same time.
    closed = recording.one("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock").urn
    assert closed in recording.one("aws:s3/bucketPolicy:BucketPolicy").dependencies


def test_unfinished_uploads_go_after_a_week() -> None:
    recording = declare(lambda: Bucket("objects", samples.bucket()))
    rules = recording.inputs("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration")["rules"]
    (uploads,) = (rule for rule in rules if "abortIncompleteMultipartUpload" in rule)
    assert (uploads["status"], uploads["filter"]) == ("Enabled", {"prefix": ""})
    assert uploads["abortIncompleteMultipartUpload"] == {"daysAfterInitiation": 7}
