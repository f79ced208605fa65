"""What somebody took away by hand: a refresh sees it, and the next update gives it back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.conformance.aws.lifecycle import World
from tests.conformance.aws.storage_examples import key
from tests.conformance.aws.test_lifecycle import EXAMPLES

pytestmark = pytest.mark.sandbox

QUEUE = "aws:sqs/queue:Queue"
TakeAway = Callable[[World, str, Mapping[str, Any]], object]


def _boundary(world: World, id: str, state: Mapping[str, Any]) -> None:
    world.client("iam").delete_role_permissions_boundary(RoleName=id)


def _logs_key(world: World, id: str, state: Mapping[str, Any]) -> None:
    world.client("logs").disassociate_kms_key(logGroupName=id)


def _topics_key(world: World, id: str, state: Mapping[str, Any]) -> None:
    world.client("sns").set_topic_attributes(TopicArn=id, AttributeName="KmsMasterKeyId", AttributeValue="")


def _secrets_description(world: World, id: str, state: Mapping[str, Any]) -> None:
    world.client("secretsmanager").update_secret(SecretId=id, Description="")


def _dead_letters(world: World, id: str, state: Mapping[str, Any]) -> None:
    world.client("lambda").update_function_configuration(FunctionName=id, DeadLetterConfig={"TargetArn": ""})


def _redrive(world: World, id: str, state: Mapping[str, Any]) -> None:
    world.client("sqs").set_queue_attributes(QueueUrl=id, Attributes={"RedrivePolicy": ""})


def _own_letters(world: World) -> str:
    return json.dumps({"deadLetterTargetArn": world.make(QUEUE, {})["arn"], "maxReceiveCount": 3})


@pytest.mark.parametrize(
    ("token", "property", "value", "take_away"),
    [
        ("aws:iam/role:Role", "permissionsBoundary", lambda _: "arn:aws:iam::aws:policy/ReadOnlyAccess", _boundary),
        ("aws:cloudwatch/logGroup:LogGroup", "kmsKeyId", lambda world: key(world)["arn"], _logs_key),
        ("aws:sns/topic:Topic", "kmsMasterKeyId", lambda world: key(world)["arn"], _topics_key),
        ("aws:secretsmanager/secret:Secret", "description", lambda _: "a login", _secrets_description),
        ("aws:lambda/function:Function", "deadLetterConfig", None, _dead_letters),
        (QUEUE, "redrivePolicy", _own_letters, _redrive),
    ],
    ids=lambda value: value.rsplit(":")[-1] if isinstance(value, str) else "",
)
def test_a_refresh_sees_what_is_away(
    world: World, token: str, property: str, value: Callable[[World], Any] | None, take_away: TakeAway
) -> None:
    (example,) = (one for one in EXAMPLES if one.token == token)
    provider, resource = world.provider, world.resource(token)
    given = example.inputs(world)
    inputs = world.checked(resource, {**given, property: value(world)} if value else given)
    created = provider.create(resource, inputs, preview=False, timeout=0)
    try:
        take_away(world, created.id, created.outputs)
        found = provider.read(resource, created.id, inputs, created.outputs)
        assert found is not None and not found.outputs.get(property) and not found.inputs.get(property)
        diff = provider.diff(resource, created.id, found.inputs, found.outputs, inputs)
        assert {path.split(".")[0] for path in diff.changes} == {property}
        state = provider.update(resource, created.id, found.inputs, found.outputs, inputs, preview=False, timeout=0)
        again = provider.read(resource, created.id, inputs, state)
        assert again is not None and again.outputs[property] == inputs[property]
    finally:
        provider.delete(resource, created.id, inputs, created.outputs, timeout=0)
