"""A property that the program no longer gives: the service no longer has it, and the next run changes nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.conformance.aws.lifecycle import World
from tests.conformance.aws.storage_examples import key
from tests.conformance.aws.test_lifecycle import EXAMPLES

pytestmark = pytest.mark.sandbox

OWN = "the example's own"
TOPIC = "arn:aws:sns:us-east-1:123456789012:alerts"
TAGS = {"product": "chronos", "environment": "test", "cost-centre": "c1"}
BOUNDARY = "arn:aws:iam::aws:policy/ReadOnlyAccess"


def _key_arn(world: World) -> str:
    return str(key(world)["arn"])


def _redrive(world: World) -> str:
    return json.dumps({"deadLetterTargetArn": world.make("aws:sqs/queue:Queue", {})["arn"]})


def _of(seen: Any, given: Any) -> Any:
    """What was seen without what the service adds to it (the VPC of subnets)."""
    return {name: seen[name] for name in given} if isinstance(given, dict) and given.keys() <= seen.keys() else seen


ROWS: Sequence[tuple[str, str, Any, Any]] = (
        *((example.token, "tags", TAGS, {}) for example in EXAMPLES if "tags" in (example.change or {})),
        ("aws:budgets/budget:Budget", "tags", TAGS, {}),
        ("aws:ec2/launchTemplate:LaunchTemplate", "tags", TAGS, {}),
        ("aws:eks/nodeGroup:NodeGroup", "tags", TAGS, {}),
        ("aws:elasticache/replicationGroup:ReplicationGroup", "tags", TAGS, {}),
        ("aws:rds/instance:Instance", "tags", TAGS, {}),
        ("aws:s3/bucket:Bucket", "tags", TAGS, {}),
        ("aws:cloudwatch/logGroup:LogGroup", "kmsKeyId", _key_arn, None),
        ("aws:cloudwatch/logGroup:LogGroup", "retentionInDays", 7, 0),
        ("aws:cloudwatch/metricAlarm:MetricAlarm", "alarmDescription", "something", ""),
        ("aws:cloudwatch/metricAlarm:MetricAlarm", "alarmActions", [TOPIC], []),
        ("aws:cloudwatch/metricAlarm:MetricAlarm", "okActions", [TOPIC], []),
        ("aws:cloudwatch/metricAlarm:MetricAlarm", "dimensions", {"QueueName": "dead"}, {}),
        ("aws:cloudwatch/metricAlarm:MetricAlarm", "datapointsToAlarm", 1, None),
        ("aws:cloudwatch/metricAlarm:MetricAlarm", "treatMissingData", "breaching", "missing"),
        ("aws:ec2/launchTemplate:LaunchTemplate", "description", "machines", ""),
        ("aws:ec2/launchTemplate:LaunchTemplate", "ebsOptimized", "true", None),
        ("aws:eks/cluster:Cluster", "enabledClusterLogTypes", ["api"], []),
        ("aws:eks/nodeGroup:NodeGroup", "labels", {"pool": "general"}, {}),
        ("aws:eks/nodeGroup:NodeGroup", "taints", [{"key": "a", "value": "b", "effect": "NO_SCHEDULE"}], []),
        ("aws:elasticache/replicationGroup:ReplicationGroup", "snapshotRetentionLimit", 3, 0),
        ("aws:elasticache/replicationGroup:ReplicationGroup", "userGroupIds", OWN, []),
        ("aws:elasticache/replicationGroup:ReplicationGroup", "multiAzEnabled", True, False),
        ("aws:kms/key:Key", "enableKeyRotation", True, False),
        ("aws:lambda/function:Function", "deadLetterConfig", OWN, None),
        ("aws:lambda/function:Function", "description", "Takes events", None),
        ("aws:lambda/function:Function", "environment", {"variables": {"A": "b"}}, None),
        ("aws:lambda/function:Function", "memorySize", 256, 128),
        ("aws:lambda/function:Function", "reservedConcurrentExecutions", 5, -1),
        ("aws:lambda/function:Function", "timeout", 30, 3),
        ("aws:lambda/function:Function", "vpcConfig", OWN, None),
        ("aws:rds/instance:Instance", "backupRetentionPeriod", 7, 0),
        ("aws:rds/instance:Instance", "copyTagsToSnapshot", True, False),
        ("aws:rds/instance:Instance", "enabledCloudwatchLogsExports", ["postgresql"], []),
        ("aws:rds/instance:Instance", "maxAllocatedStorage", 100, None),
        ("aws:rds/instance:Instance", "performanceInsightsEnabled", True, False),
        ("aws:rds/subnetGroup:SubnetGroup", "description", "apart", "Managed by Pulumi"),
        ("aws:secretsmanager/secret:Secret", "description", "a login", ""),
        ("aws:sns/topic:Topic", "deliveryPolicy", '{"http":{"disableSubscriptionOverrides":true}}', ""),
        ("aws:sns/topic:Topic", "displayName", "Alerts", ""),
        ("aws:sns/topic:Topic", "kmsMasterKeyId", _key_arn, None),
        ("aws:sns/topicSubscription:TopicSubscription", "filterPolicy", '{"kind": ["budget"]}', ""),
        ("aws:sns/topicSubscription:TopicSubscription", "rawMessageDelivery", True, False),
        ("aws:sns/topicSubscription:TopicSubscription", "redrivePolicy", _redrive, ""),
        ("aws:budgets/budget:Budget", "notifications", OWN, []),
        ("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "blockPublicAcls", True, False),
        ("aws:lambda/functionUrl:FunctionUrl", "invokeMode", "RESPONSE_STREAM", "BUFFERED"),
        ("aws:iam/role:Role", "description", "a role", ""),
        ("aws:iam/role:Role", "maxSessionDuration", 7200, 3600),
        ("aws:iam/role:Role", "permissionsBoundary", BOUNDARY, None),
        ("aws:rds/instance:Instance", "iamDatabaseAuthenticationEnabled", True, False),
        ("aws:sqs/queue:Queue", "delaySeconds", 3, 0),
        ("aws:sqs/queue:Queue", "maxMessageSize", 2048, 262144),
        ("aws:sqs/queue:Queue", "messageRetentionSeconds", 60, 345600),
        ("aws:sqs/queue:Queue", "receiveWaitTimeSeconds", 5, 0),
        ("aws:sqs/queue:Queue", "visibilityTimeoutSeconds", 60, 30),
        ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "description", "from inside", ""),
)  # fmt: skip
"""Type, property, its value, and what the service has in its place afterwards."""


@pytest.mark.parametrize("token", sorted({token for token, *_ in ROWS}), ids=lambda token: token.rsplit(":")[-1])
def test_what_is_taken_away_is_away(world: World, token: str) -> None:
    """One property after the other of one resource, which some types take seconds to make."""
    (example,) = (one for one in EXAMPLES if one.token == token)
    provider, resource = world.provider, world.resource(token)
    given = example.inputs(world)
    rows = [(property, value, left) for of, property, value, left in ROWS if of == token]
    for property, value, _ in rows:
        given[property] = given[property] if value is OWN else value(world) if callable(value) else value
    before = world.checked(resource, given)
    created = provider.create(resource, before, preview=False, timeout=0)
    state = created.outputs
    try:
        for property, _, left in rows:
            value = given[property]
            assert _of(state[property], value) == value
            after = world.checked(resource, {name: item for name, item in given.items() if name != property}, before)
            diff = provider.diff(resource, created.id, before, state, after)
            assert {path.split(".")[0] for path in diff.changes} == {property}
            state = provider.update(resource, created.id, before, state, after, preview=False, timeout=0)
            found = provider.read(resource, created.id, after, state)
            assert found is not None and found.outputs.get(property, left) == left, property
            assert not provider.diff(resource, created.id, found.inputs, found.outputs, after).changes
            # And given again.
            state = provider.update(resource, created.id, after, state, before, preview=False, timeout=0)
            found = provider.read(resource, created.id, before, state)
            assert found is not None and _of(found.outputs[property], value) == value
    finally:
        provider.delete(resource, created.id, before, state, timeout=0)


def test_a_log_group_made_anew_has_no_tags_of_the_one_before(world: World) -> None:
    logs = world.client("logs")
    for tags in ({"team": "a"}, {}):
        logs.create_log_group(logGroupName="/example/anew", tags=tags)
        (group,) = logs.describe_log_groups(logGroupNamePrefix="/example/anew")["logGroups"]
        assert logs.list_tags_for_resource(resourceArn=group["arn"].removesuffix(":*"))["tags"] == tags
        logs.delete_log_group(logGroupName="/example/anew")
