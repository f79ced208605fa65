"""The cache: encryption, users, replicas."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from components.aws.redis import Redis
from tests.components import samples
from tests.components.recording import declare


def test_encrypted_with_users_and_without_a_token() -> None:
    recording = declare(lambda: Redis("redis", samples.redis()))
    group = recording.inputs("aws:elasticache/replicationGroup:ReplicationGroup")
    assert group["transitEncryptionEnabled"] is True and group["transitEncryptionMode"] == "required"
    assert group["atRestEncryptionEnabled"] is True and group["kmsKeyId"]
    assert group["userGroupIds"] and "authToken" not in group
    users = {user.plain()["userName"]: user.plain() for user in recording.of("aws:elasticache/user:User")}
    assert users["default"]["accessString"] == "off -@all"
    members = recording.one("aws:elasticache/userGroup:UserGroup")
    assert members.plain()["userIds"] == [users["default"]["userId"], users["freehold"]["userId"]]
    # Tenants join by associations: the group must not take them out again.
    assert members.ignore_changes == ("userIds",)


def test_who_removes_keys_can_list_and_remove_tenants_keys_and_nothing_else() -> None:
    recording = declare(lambda: Redis("redis", samples.redis()))
    (user,) = (one.plain() for one in recording.of("aws:elasticache/user:User") if one.name.endswith("sweeper-user"))
    assert user["accessString"] == "on ~t:* -@all +ping +scan +unlink"
    membership = recording.one("aws:elasticache/userGroupAssociation:UserGroupAssociation").plain()
    assert membership["userId"] == user["userId"]
    # The group is changed by then: ElastiCache takes no cache whose user group is being changed.
    joined = recording.one("aws:elasticache/userGroupAssociation:UserGroupAssociation").urn
    assert joined in recording.one("aws:elasticache/replicationGroup:ReplicationGroup").dependencies
    versions = {one.name: one.plain() for one in recording.of("aws:secretsmanager/secretVersion:SecretVersion")}
    (secret,) = (one for name, one in versions.items() if "sweeper" in name)
    assert json.loads(secret["secretString"])["username"] == "sweeper"


@pytest.mark.parametrize("replicas", [0, 2])
def test_replicas_fail_over(replicas: int) -> None:
    recording = declare(lambda: Redis("redis", samples.redis(replicas=replicas, protect=True)))
    group = recording.one("aws:elasticache/replicationGroup:ReplicationGroup")
    assert group.plain()["numCacheClusters"] == replicas + 1
    assert group.plain()["automaticFailoverEnabled"] is group.plain()["multiAzEnabled"] is (replicas > 0)
    assert group.protect is True
    assert recording.one("aws:kms/key:Key").protect is True


@pytest.mark.parametrize("replicas", [0, 2])
def test_somebody_is_told_before_the_memory_is_full(replicas: int) -> None:
    topics = ("arn:aws:sns:us-east-1:123456789012:alerts",)
    recording = declare(lambda: Redis("redis", replace(samples.redis(replicas=replicas), alarm_topics=topics)))
    alarms = [alarm.plain() for alarm in recording.of("aws:cloudwatch/metricAlarm:MetricAlarm")]
    # Each member may become the primary.
    assert sorted(alarm["dimensions"]["CacheClusterId"] for alarm in alarms) == [
        f"chronos-cloud-sandbox-{number:03d}" for number in range(1, replicas + 2)
    ]
    for alarm in alarms:
        assert (alarm["namespace"], alarm["metricName"]) == ("AWS/ElastiCache", "DatabaseMemoryUsagePercentage")
        assert (alarm["comparisonOperator"], alarm["threshold"]) == ("GreaterThanThreshold", 80)
        assert alarm["alarmActions"] == list(topics)


def test_what_is_meant_to_stay_is_not_evicted_and_outlives_the_cache() -> None:
    recording = declare(lambda: Redis("redis", samples.redis()))
    parameters = recording.inputs("aws:elasticache/parameterGroup:ParameterGroup")["parameters"]
    assert {"name": "maxmemory-policy", "value": "volatile-lru"} in parameters
    group = recording.inputs("aws:elasticache/replicationGroup:ReplicationGroup")
    assert group["snapshotRetentionLimit"] == 7
    assert group["finalSnapshotIdentifier"] == "chronos-cloud-sandbox-final-0a1b2c3d"


def test_a_user_hears_no_channel_that_is_not_named() -> None:
    recording = declare(lambda: Redis("redis", samples.redis()))
    group = recording.inputs("aws:elasticache/parameterGroup:ParameterGroup")
    assert {"name": "acl-pubsub-default", "value": "resetchannels"} in group["parameters"]
    used = recording.inputs("aws:elasticache/replicationGroup:ReplicationGroup")["parameterGroupName"]
    assert used == group["name"]


@pytest.mark.parametrize("protect", [False, True])
def test_a_protected_cache_changes_in_its_window_and_its_secrets_can_be_brought_back(protect: bool) -> None:
    recording = declare(lambda: Redis("redis", samples.redis(protect=protect)))
    group = recording.inputs("aws:elasticache/replicationGroup:ReplicationGroup")
    assert group["applyImmediately"] is not protect
    secrets = recording.of("aws:secretsmanager/secret:Secret")
    assert {secret.plain()["recoveryWindowInDays"] for secret in secrets} == {30 if protect else 0}
