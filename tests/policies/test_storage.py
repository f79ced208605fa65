from __future__ import annotations

from typing import Any

import pytest

from policies.rules import UNKNOWN, Planned
from policies.storage import FLAGS
from tests.policies.plans import certain, findings, planned, undecided, urn

POLICY = "bucket-public-access-blocked"
BUCKET = "aws:s3/bucket:Bucket"
BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
OPEN: dict[str, Any] = dict.fromkeys(FLAGS, True)


def bucket(**properties: Any) -> Planned:
    return planned(BUCKET, "files", **({"bucket": "files-1a2b3c4"} | properties))


def block(**properties: Any) -> Planned:
    return planned(BLOCK, "files-block", **({"bucket": "files-1a2b3c4"} | OPEN | properties))


def test_a_bucket_with_its_block_is_compliant() -> None:
    assert findings(POLICY, bucket(), block()) == []


def test_a_bucket_without_a_block_is_a_violation() -> None:
    found = findings(POLICY, bucket())
    assert certain(found)
    assert found[0].urn == urn(BUCKET, "files")


def test_a_bucket_under_the_providers_older_name_is_a_bucket() -> None:
    older = planned("aws:s3/bucketV2:BucketV2", "files", bucket="files-1a2b3c4")
    assert certain(findings(POLICY, older))
    assert findings(POLICY, older, block()) == []


def test_a_bucket_that_the_provider_names_has_the_block_that_comes_from_it() -> None:
    unnamed = planned(BUCKET, "files")
    linked = planned(BLOCK, "files-block", links={"bucket": [urn(BUCKET, "files")]}, **OPEN, bucket="files-1a2b3c4")
    assert findings(POLICY, unnamed, linked) == []
    assert certain(findings(POLICY, unnamed, block()))


def test_the_block_of_another_bucket_does_not_count() -> None:
    assert certain(findings(POLICY, bucket(), block(bucket="other-1a2b3c4")))


@pytest.mark.parametrize("flag", FLAGS)
def test_each_flag_must_be_true(flag: str) -> None:
    assert certain(findings(POLICY, bucket(), block(**{flag: False})))


@pytest.mark.parametrize("flag", FLAGS)
def test_an_absent_flag_is_false_as_in_the_provider(flag: str) -> None:
    assert certain(findings(POLICY, bucket(), block(**{flag: None})))


@pytest.mark.parametrize("flag", FLAGS)
def test_an_unknown_flag_cannot_be_told(flag: str) -> None:
    assert undecided(findings(POLICY, bucket(), block(**{flag: UNKNOWN})))


def test_an_unknown_reference_is_followed_to_the_bucket_that_it_comes_from() -> None:
    linked = planned(BLOCK, "files-block", links={"bucket": [urn(BUCKET, "files")]}, bucket=UNKNOWN, **OPEN)
    assert findings(POLICY, bucket(), linked) == []
    elsewhere = planned(BLOCK, "files-block", links={"bucket": [urn(BUCKET, "other")]}, bucket=UNKNOWN, **OPEN)
    assert certain(findings(POLICY, bucket(), elsewhere))


def test_an_unknown_reference_that_comes_from_nowhere_cannot_be_told() -> None:
    assert undecided(findings(POLICY, bucket(), block(bucket=UNKNOWN)))


def test_a_stack_without_buckets_is_compliant() -> None:
    assert findings(POLICY, planned("aws:sns/topic:Topic")) == []


@pytest.mark.parametrize("flag", FLAGS)
def test_the_block_of_the_account_leaves_no_way_open_and_counts_for_no_bucket(flag: str) -> None:
    account = "aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock"
    assert findings(POLICY, planned(account, "all", **OPEN)) == []
    assert certain(findings(POLICY, bucket(), planned(account, "all", **OPEN)))
    for value in (False, None):
        assert certain(findings(POLICY, bucket(), block(), planned(account, "all", **OPEN | {flag: value})))
    assert undecided(findings(POLICY, bucket(), block(), planned(account, "all", **OPEN | {flag: UNKNOWN})))
