"""What is deleted leaves nothing to the next one of its name, and gives back what it held."""

from __future__ import annotations

import pytest

from tests.conformance.aws.lifecycle import World
from tests.conformance.aws.test_lifecycle import EXAMPLES

pytestmark = pytest.mark.sandbox


@pytest.mark.parametrize(
    "token",
    [
        "aws:cloudwatch/logGroup:LogGroup",
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        "aws:elasticache/replicationGroup:ReplicationGroup",
        "aws:elasticache/subnetGroup:SubnetGroup",
        "aws:elasticache/user:User",
        "aws:s3/bucket:Bucket",
    ],
    ids=lambda token: token.rsplit(":")[-1],
)
def test_tags_go_with_their_resource(world: World, token: str) -> None:
    (example,) = (one for one in EXAMPLES if one.token == token)
    provider, resource = world.provider, world.resource(token)
    tagged = world.checked(resource, {**example.inputs(world), "tags": {"owner": "before"}})
    for inputs in (tagged, {name: value for name, value in tagged.items() if name != "tags"}):
        made = provider.create(resource, inputs, preview=False, timeout=0)
        try:
            assert (made.outputs.get("tags") or {}) == inputs.get("tags", {})
        finally:
            provider.delete(resource, made.id, inputs, made.outputs, timeout=0)


def test_a_nat_gateways_address_is_free_after_it(world: World) -> None:
    token = "aws:ec2/natGateway:NatGateway"
    (example,) = (one for one in EXAMPLES if one.token == token)
    provider, resource, ec2 = world.provider, world.resource(token), world.client("ec2")
    inputs = world.checked(resource, example.inputs(world))
    for _ in range(2):
        made = provider.create(resource, inputs, preview=False, timeout=0)
        provider.delete(resource, made.id, inputs, made.outputs, timeout=0)
        (address,) = ec2.describe_addresses(AllocationIds=[str(inputs["allocationId"])])["Addresses"]
        assert "AssociationId" not in address
