"""A property that the program no longer gives: the service no longer has it, and the next run changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.aws.lifecycle import World
from tests.conformance.aws.test_lifecycle import EXAMPLES

pytestmark = pytest.mark.sandbox

TAGS = {"product": "chronos", "environment": "test", "cost-centre": "c1"}
BOUNDARY = "arn:aws:iam::aws:policy/ReadOnlyAccess"


@pytest.mark.parametrize(
    ("token", "property", "value", "left"),
    [
        *((example.token, "tags", TAGS, {}) for example in EXAMPLES if "tags" in (example.change or {})),
        ("aws:budgets/budget:Budget", "tags", TAGS, {}),
        ("aws:ec2/launchTemplate:LaunchTemplate", "tags", TAGS, {}),
        ("aws:eks/nodeGroup:NodeGroup", "tags", TAGS, {}),
        ("aws:elasticache/replicationGroup:ReplicationGroup", "tags", TAGS, {}),
        ("aws:rds/instance:Instance", "tags", TAGS, {}),
        ("aws:s3/bucket:Bucket", "tags", TAGS, {}),
        ("aws:elasticache/replicationGroup:ReplicationGroup", "snapshotRetentionLimit", 3, 0),
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
    ],
    ids=lambda value: value.rsplit(":")[-1] if isinstance(value, str) else "",
)  # fmt: skip
def test_what_is_taken_away_is_away(world: World, token: str, property: str, value: Any, left: Any) -> None:
    (example,) = (one for one in EXAMPLES if one.token == token)
    provider, resource = world.provider, world.resource(token)
    given = {**example.inputs(world), property: value}
    before = world.checked(resource, given)
    created = provider.create(resource, before, preview=False, timeout=0)
    state = created.outputs
    try:
        assert state[property] == value
        after = world.checked(resource, {name: item for name, item in given.items() if name != property}, before)
        diff = provider.diff(resource, created.id, before, state, after)
        assert {path.split(".")[0] for path in diff.changes} == {property}
        state = provider.update(resource, created.id, before, state, after, preview=False, timeout=0)
        found = provider.read(resource, created.id, after, state)
        assert found is not None and found.outputs.get(property, left) == left
        assert not provider.diff(resource, created.id, found.inputs, found.outputs, after).changes
        # And given again.
        provider.update(resource, created.id, after, state, before, preview=False, timeout=0)
        found = provider.read(resource, created.id, before, state)
        assert found is not None and found.outputs[property] == value
    finally:
        provider.delete(resource, created.id, before, state, timeout=0)
