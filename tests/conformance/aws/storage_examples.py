"""How buckets, keys, log groups, secrets and topics are lived through."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.conformance.aws.ec2_network_examples import TAGS, refused
from tests.conformance.aws.lifecycle import Example, World


def bucket(world: World) -> str:
    return str(world.make("aws:s3/bucket:Bucket", {})["id"])


def key(world: World) -> Mapping[str, Any]:
    return world.make("aws:kms/key:Key", {"description": "an example's"})


def topic(world: World) -> str:
    return str(world.make("aws:sns/topic:Topic", {})["arn"])


def _bucket_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    s3 = world.client("s3")
    assert id in {found["Name"] for found in s3.list_buckets()["Buckets"]}
    assert {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket=id)["TagSet"]} == state["tags"]
    s3.put_object(Bucket=id, Key="left behind", Body=b"1")


def _bucket_gone(world: World, id: str, state: Mapping[str, Any]) -> None:
    assert id not in {found["Name"] for found in world.client("s3").list_buckets()["Buckets"]}


def _blocked(world: World, id: str, state: Mapping[str, Any]) -> None:
    found = world.client("s3").get_public_access_block(Bucket=id)["PublicAccessBlockConfiguration"]
    assert found == {
        name[0].upper() + name[1:]: state[name] for name in state if name.startswith(("block", "ignore", "restrict"))
    }


def _encrypted(world: World, id: str, state: Mapping[str, Any]) -> None:
    rule = world.client("s3").get_bucket_encryption(Bucket=id)["ServerSideEncryptionConfiguration"]["Rules"][0]
    wanted = state["rules"][0]["applyServerSideEncryptionByDefault"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == wanted["sseAlgorithm"]
    assert rule["ApplyServerSideEncryptionByDefault"].get("KMSMasterKeyID") == wanted.get("kmsMasterKeyId")


def _encryption(algorithm: str, key_arn: str | None = None) -> list[dict[str, Any]]:
    default = {"sseAlgorithm": algorithm, **({"kmsMasterKeyId": key_arn} if key_arn else {})}
    return [{"applyServerSideEncryptionByDefault": default, "bucketKeyEnabled": bool(key_arn)}]


def _versioned(world: World, id: str, state: Mapping[str, Any]) -> None:
    status = world.client("s3").get_bucket_versioning(Bucket=id)["Status"]
    assert status == state["versioningConfiguration"]["status"]


def _suspended(world: World, id: str, state: Mapping[str, Any]) -> None:
    assert world.client("s3").get_bucket_versioning(Bucket=id)["Status"] == "Suspended"


def _lifecycle(days: int) -> list[dict[str, Any]]:
    return [
        {
            "id": "old-versions", "status": "Enabled", "filter": {"prefix": "tenants/"},
            "noncurrentVersionExpiration": {"noncurrentDays": days},
            "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
            "transitions": [{"days": 30, "storageClass": "STANDARD_IA"}],
        }
    ]  # fmt: skip


def _ages(world: World, id: str, state: Mapping[str, Any]) -> None:
    (rule,) = world.client("s3").get_bucket_lifecycle_configuration(Bucket=id)["Rules"]
    wanted = state["rules"][0]["noncurrentVersionExpiration"]["noncurrentDays"]
    assert rule["NoncurrentVersionExpiration"]["NoncurrentDays"] == wanted
    assert rule["Filter"] == {"Prefix": "tenants/"}


def _tls_only(sid: str, name: str) -> str:
    statement = {
        "Sid": sid, "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{name}/*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }  # fmt: skip
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _bucket_policy(world: World, id: str, state: Mapping[str, Any]) -> None:
    found = world.client("s3").get_bucket_policy(Bucket=id)["Policy"]
    assert json.loads(found) == json.loads(state["policy"])


def _owned(world: World, id: str, state: Mapping[str, Any]) -> None:
    rules = world.client("s3").get_bucket_ownership_controls(Bucket=id)["OwnershipControls"]["Rules"]
    assert rules == [{"ObjectOwnership": state["rule"]["objectOwnership"]}]


def _key_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    kms = world.client("kms")
    found = kms.describe_key(KeyId=id)["KeyMetadata"]
    assert (found["Arn"], found["Description"], found["Enabled"]) == (state["arn"], state["description"], True)
    assert kms.get_key_rotation_status(KeyId=id)["KeyRotationEnabled"] is state["enableKeyRotation"]
    assert {t["TagKey"]: t["TagValue"] for t in kms.list_resource_tags(KeyId=id)["Tags"]} == state["tags"]
    secret = kms.encrypt(KeyId=id, Plaintext=b"x")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=secret)["Plaintext"] == b"x"


def _key_gone(world: World, id: str, state: Mapping[str, Any]) -> None:
    assert world.client("kms").describe_key(KeyId=id)["KeyMetadata"]["KeyState"] == "PendingDeletion"


def _alias_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    assert world.client("kms").describe_key(KeyId=id)["KeyMetadata"]["KeyId"] == state["targetKeyId"]


def _log_group_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    logs = world.client("logs")
    (found,) = logs.describe_log_groups(logGroupNamePrefix=id)["logGroups"]
    assert found.get("retentionInDays", 0) == state["retentionInDays"]
    assert logs.list_tags_for_resource(resourceArn=state["arn"])["tags"] == state["tags"]


def _log_group_gone(world: World, id: str, state: Mapping[str, Any]) -> None:
    assert world.client("logs").describe_log_groups(logGroupNamePrefix=id)["logGroups"] == []


def _secret_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    found = world.client("secretsmanager").describe_secret(SecretId=id)
    assert (found["Name"], found["Description"]) == (state["name"], state["description"])
    assert {tag["Key"]: tag["Value"] for tag in found["Tags"]} == state["tags"]


def _secret_gone(world: World, id: str, state: Mapping[str, Any]) -> None:
    refused("ResourceNotFound", world.client("secretsmanager").describe_secret, SecretId=id)


def _version_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    found = world.client("secretsmanager").get_secret_value(SecretId=state["secretId"])
    assert found["SecretString"] == state["secretString"]
    assert found["VersionId"] == state["versionId"]


def _secret(world: World) -> str:
    return str(world.make("aws:secretsmanager/secret:Secret", {"recoveryWindowInDays": 0})["id"])


def _topic_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    found = world.client("sns").get_topic_attributes(TopicArn=id)["Attributes"]
    assert (found["DisplayName"], found["KmsMasterKeyId"]) == (state["displayName"], state["kmsMasterKeyId"])
    tags = world.client("sns").list_tags_for_resource(ResourceArn=id)["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == state["tags"]


def _topic_gone(world: World, id: str, state: Mapping[str, Any]) -> None:
    refused("NotFound", world.client("sns").get_topic_attributes, TopicArn=id)


def _publisher(service: str) -> str:
    statement = {
        # As the provider's page has it, after SNS' own name for what a new topic allows.
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sns:Publish",
        "Resource": "*",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _topic_policy_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    found = world.client("sns").get_topic_attributes(TopicArn=id)["Attributes"]["Policy"]
    assert json.loads(found) == json.loads(state["policy"])


def _topic_policy_gone(world: World, id: str, state: Mapping[str, Any]) -> None:
    assert "__default_policy_ID" in world.client("sns").get_topic_attributes(TopicArn=id)["Attributes"]["Policy"]


def _subscribed(world: World, id: str, state: Mapping[str, Any]) -> None:
    (found,) = world.client("sns").list_subscriptions_by_topic(TopicArn=state["topic"])["Subscriptions"]
    assert (found["SubscriptionArn"], found["Endpoint"]) == (id, state["endpoint"])
    attributes = world.client("sns").get_subscription_attributes(SubscriptionArn=id)["Attributes"]
    assert json.loads(attributes["FilterPolicy"]) == json.loads(state["filterPolicy"])


def _unsubscribed(world: World, id: str, state: Mapping[str, Any]) -> None:
    assert world.client("sns").list_subscriptions_by_topic(TopicArn=state["topic"])["Subscriptions"] == []


EXAMPLES = (
    Example(
        "aws:s3/bucket:Bucket",
        lambda world: {"bucket": "an-example", "forceDestroy": True, "tags": TAGS},
        change={"tags": {"product": "spoke"}},
        replace={"bucket": "another-example"},
        seen=_bucket_seen,
        gone=_bucket_gone,
        hidden=frozenset({"forceDestroy"}),
    ),
    Example(
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        lambda world: {"bucket": bucket(world), "blockPublicAcls": True, "blockPublicPolicy": True},
        change={"ignorePublicAcls": True, "blockPublicAcls": False},
        replace={"bucket": "another"},
        seen=_blocked,
        gone=lambda world, id, state: refused(
            "NoSuchPublicAccessBlock", world.client("s3").get_public_access_block, Bucket=id
        ),
        duplicate=False,
    ),
    Example(
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        lambda world: {"bucket": bucket(world), "rules": _encryption("AES256")},
        change_made=lambda world: {"rules": _encryption("aws:kms", key(world)["arn"])},
        seen=_encrypted,
        duplicate=False,
    ),
    Example(
        "aws:s3/bucketVersioning:BucketVersioning",
        lambda world: {"bucket": bucket(world), "versioningConfiguration": {"status": "Enabled"}},
        change={"versioningConfiguration": {"status": "Suspended"}},
        seen=_versioned,
        gone=_suspended,
        lingers=True,
        duplicate=False,
    ),
    Example(
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        lambda world: {"bucket": bucket(world), "rules": _lifecycle(90)},
        change={"rules": _lifecycle(30)},
        seen=_ages,
        gone=lambda world, id, state: refused(
            "NoSuchLifecycle", world.client("s3").get_bucket_lifecycle_configuration, Bucket=id
        ),
        duplicate=False,
    ),
    Example(
        "aws:s3/bucketPolicy:BucketPolicy",
        lambda world: {"bucket": bucket(world), "policy": _tls_only("one", "a")},
        change={"policy": _tls_only("two", "a")},
        seen=_bucket_policy,
        gone=lambda world, id, state: refused("NoSuchBucketPolicy", world.client("s3").get_bucket_policy, Bucket=id),
    ),
    Example(
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        lambda world: {"bucket": bucket(world), "rule": {"objectOwnership": "BucketOwnerEnforced"}},
        change={"rule": {"objectOwnership": "BucketOwnerPreferred"}},
        seen=_owned,
        gone=lambda world, id, state: refused(
            "OwnershipControlsNotFound", world.client("s3").get_bucket_ownership_controls, Bucket=id
        ),
        duplicate=False,
    ),
    Example(
        "aws:kms/key:Key",
        lambda world: {
            "description": "data", "enableKeyRotation": True, "rotationPeriodInDays": 180, "deletionWindowInDays": 7,
            "tags": TAGS,
        },
        change={"description": "more data", "rotationPeriodInDays": 365, "tags": {"product": "spoke"}},
        replace={"keyUsage": "SIGN_VERIFY", "multiRegion": True},
        seen=_key_seen,
        gone=_key_gone,
        hidden=frozenset({"deletionWindowInDays"}),
        duplicate=False,
    ),
    Example(
        "aws:kms/alias:Alias",
        lambda world: {"name": "alias/example", "targetKeyId": key(world)["keyId"]},
        change_made=lambda world: {"targetKeyId": key(world)["keyId"]},
        replace={"name": "alias/other"},
        seen=_alias_seen,
        gone=lambda world, id, state: refused("NotFound", world.client("kms").describe_key, KeyId=id),
    ),
    Example(
        "aws:cloudwatch/logGroup:LogGroup",
        lambda world: {"name": "/example/logs", "retentionInDays": 30, "tags": TAGS},
        change={"retentionInDays": 90, "tags": {"product": "spoke"}},
        replace={"name": "/example/other"},
        seen=_log_group_seen,
        gone=_log_group_gone,
    ),
    Example(
        "aws:secretsmanager/secret:Secret",
        lambda world: {"name": "example/db", "description": "login", "recoveryWindowInDays": 0, "tags": TAGS},
        change={"description": "a login", "tags": {"product": "spoke"}},
        replace={"name": "example/other"},
        seen=_secret_seen,
        gone=_secret_gone,
        hidden=frozenset({"recoveryWindowInDays"}),
    ),
    Example(
        "aws:secretsmanager/secretVersion:SecretVersion",
        lambda world: {"secretId": _secret(world), "secretString": '{"password":"not for anyone"}'},
        replace={"secretString": "other"},
        seen=_version_seen,
        lingers=True,
        duplicate=False,
    ),
    Example(
        "aws:sns/topic:Topic",
        lambda world: {
            "name": "alerts", "displayName": "Alerts", "kmsMasterKeyId": key(world)["arn"], "tags": TAGS,
        },
        change={"displayName": "Alarms", "tags": {"product": "spoke"}},
        replace={"name": "other"},
        seen=_topic_seen,
        gone=_topic_gone,
    ),
    Example(
        "aws:sns/topicPolicy:TopicPolicy",
        lambda world: {"arn": topic(world), "policy": _publisher("budgets.amazonaws.com")},
        change={"policy": _publisher("cloudwatch.amazonaws.com")},
        seen=_topic_policy_seen,
        gone=_topic_policy_gone,
    ),
    Example(
        "aws:sns/topicSubscription:TopicSubscription",
        lambda world: {
            "topic": topic(world), "protocol": "email", "endpoint": "ops@example.test",
            "filterPolicy": '{"kind": ["budget"]}',
        },
        change={"filterPolicy": '{"kind": ["budget", "cost"]}'},
        replace={"endpoint": "dev@example.test", "protocol": "email-json"},
        seen=_subscribed,
        gone=_unsubscribed,
    ),
)  # fmt: skip
