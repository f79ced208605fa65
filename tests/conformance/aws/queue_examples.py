"""How queues and alarms are lived through."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.conformance.aws.ec2_network_examples import TAGS, refused
from tests.conformance.aws.lifecycle import Example, World


def _queue(world: World) -> Mapping[str, Any]:
    return world.make("aws:sqs/queue:Queue", {})


def _inputs(world: World) -> dict[str, Any]:
    dead = _queue(world)
    return {
        "name": "alerts",
        "messageRetentionSeconds": 1209600,
        "visibilityTimeoutSeconds": 60,
        "sqsManagedSseEnabled": True,
        "redrivePolicy": json.dumps({"deadLetterTargetArn": dead["arn"], "maxReceiveCount": 5}),
        "tags": TAGS,
    }


def _attributes(world: World, url: str) -> Mapping[str, str]:
    found: Mapping[str, str] = world.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])[
        "Attributes"
    ]
    return found


def _seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    found = _attributes(world, id)
    assert found["QueueArn"] == state["arn"]
    assert int(found["MessageRetentionPeriod"]) == state["messageRetentionSeconds"]
    assert int(found["VisibilityTimeout"]) == state["visibilityTimeoutSeconds"]
    assert json.loads(found["RedrivePolicy"]) == json.loads(state["redrivePolicy"])
    assert world.client("sqs").list_queue_tags(QueueUrl=id)["Tags"] == state["tags"]


def _gone(world: World, id: str, state: Mapping[str, Any]) -> None:
    refused("NonExistent", world.client("sqs").get_queue_attributes, QueueUrl=id)


def _policy(queue: Mapping[str, Any], action: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": action,
        "Resource": queue["arn"],
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _policy_inputs(world: World) -> dict[str, Any]:
    queue = _queue(world)
    return {"queueUrl": queue["url"], "policy": _policy(queue, "sqs:SendMessage")}


def _policy_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    assert json.loads(_attributes(world, id)["Policy"]) == json.loads(state["policy"])


def _policy_gone(world: World, id: str, state: Mapping[str, Any]) -> None:
    assert not _attributes(world, id).get("Policy")


def _alarm_inputs(world: World) -> dict[str, Any]:
    return {
        "name": "dead-letters",
        "alarmDescription": "Something was given up",
        "namespace": "AWS/SQS",
        "metricName": "ApproximateNumberOfMessagesVisible",
        "dimensions": {"QueueName": "dead"},
        "statistic": "Maximum",
        "period": 60,
        "evaluationPeriods": 1,
        "threshold": 0,
        "comparisonOperator": "GreaterThanThreshold",
        "treatMissingData": "notBreaching",
        "alarmActions": ["arn:aws:sns:us-east-1:123456789012:alerts"],
        "tags": TAGS,
    }


def _alarms(world: World, name: str) -> list[Any]:
    found: list[Any] = world.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return found


def _alarm_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    (found,) = _alarms(world, id)
    assert found["Dimensions"] == [{"Name": "QueueName", "Value": "dead"}]
    assert (found["Period"], found["Threshold"]) == (state["period"], state["threshold"])
    assert found["AlarmActions"] == state["alarmActions"]


def _alarm_gone(world: World, id: str, state: Mapping[str, Any]) -> None:
    assert _alarms(world, id) == []


EXAMPLES = (
    Example(
        "aws:sqs/queue:Queue",
        _inputs,
        change={"visibilityTimeoutSeconds": 120, "messageRetentionSeconds": 600},
        replace={"name": "other"},
        seen=_seen,
        gone=_gone,
    ),
    Example(
        "aws:sqs/queuePolicy:QueuePolicy",
        _policy_inputs,
        seen=_policy_seen,
        gone=_policy_gone,
        change_made=lambda world: {"policy": _policy(_queue(world), "sqs:ReceiveMessage")},
        replace={"queueUrl": "https://sqs.us-east-1.amazonaws.com/123456789012/other"},
    ),
    Example(
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        _alarm_inputs,
        change={"threshold": 3, "alarmDescription": "More"},
        replace={"name": "other"},
        seen=_alarm_seen,
        gone=_alarm_gone,
    ),
)
