"""Every AWS type, through its whole life."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from sandbox.providers.aws.tables import TABLE
from sandbox.providers.interface import PartialFailure, ProviderError
from tests.conformance.aws import (
    budget_examples,
    cluster_examples,
    data_examples,
    ec2_examples,
    ec2_network_examples,
    function_examples,
    iam_examples,
    queue_examples,
    storage_examples,
)
from tests.conformance.aws.lifecycle import Example, World, live_through

EXAMPLES: tuple[Example, ...] = (
    *ec2_network_examples.EXAMPLES,
    *ec2_examples.EXAMPLES,
    *iam_examples.EXAMPLES,
    *storage_examples.EXAMPLES,
    *budget_examples.EXAMPLES,
    *queue_examples.EXAMPLES,
    *function_examples.EXAMPLES,
    *cluster_examples.EXAMPLES,
    *data_examples.EXAMPLES,
)

pytestmark = pytest.mark.sandbox


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.token)
def test_a_type_lives_through_its_life(world: World, example: Example) -> None:
    live_through(world, example)


def test_a_server_that_the_endpoint_was_not_told_of_is_told_by_the_next_update(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (example,) = (one for one in EXAMPLES if one.token == "aws:elasticache/replicationGroup:ReplicationGroup")
    resource = world.resource(example.token)
    inputs = world.checked(resource, example.inputs(world))
    with monkeypatch.context() as patched, pytest.raises(PartialFailure) as half:
        patched.setattr("sandbox.providers.aws.elasticache.tell", refused)
        world.provider.create(resource, inputs, preview=False, timeout=0)
    kept = half.value
    state = world.provider.update(resource, kept.id, inputs, kept.outputs, inputs, preview=False, timeout=0)
    try:
        assert example.seen is not None
        example.seen(world, kept.id, state)
    finally:
        world.provider.delete(resource, kept.id, inputs, state, timeout=0)


def test_a_cache_that_was_not_told_of_a_member_is_told_by_the_next_update_and_of_a_leaver_by_the_next_delete(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (example,) = (one for one in EXAMPLES if one.token == "aws:elasticache/userGroupAssociation:UserGroupAssociation")
    told = list[Sequence[str]]()
    follow = "sandbox.providers.aws.cache_users._follow"
    resource = world.resource(example.token)
    inputs = world.checked(resource, example.inputs(world))
    with monkeypatch.context() as patched, pytest.raises(PartialFailure) as half:
        patched.setattr(follow, refused)
        world.provider.create(resource, inputs, preview=False, timeout=0)
    kept = half.value
    monkeypatch.setattr(follow, lambda _, groups: told.append(groups))
    state = world.provider.update(resource, kept.id, inputs, kept.outputs, inputs, preview=False, timeout=0)
    assert told == [[inputs["userGroupId"]]]
    with monkeypatch.context() as patched, pytest.raises(ProviderError):
        patched.setattr(follow, refused)
        world.provider.delete(resource, kept.id, inputs, state, timeout=0)
    world.provider.delete(resource, kept.id, inputs, state, timeout=0)
    assert told == [[inputs["userGroupId"]]] * 2
    assert example.gone is not None
    example.gone(world, kept.id, state)


def test_the_default_group_without_a_vpc_is_the_default_vpcs(world: World) -> None:
    (vpc,) = world.client("ec2").describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    (example,) = (one for one in EXAMPLES if one.token == "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup")
    live_through(world, replace(example, inputs=lambda world: {"ingress": []}, replace={"vpcId": "vpc-1"}))
    made = world.make(example.token, {})
    assert made["vpcId"] == vpc["VpcId"]


def refused(*_: object, **__: object) -> None:
    raise ProviderError("the endpoint is not there")


def test_every_type_of_the_table_has_an_example() -> None:
    assert {example.token for example in EXAMPLES} == {entry.token for entry in TABLE}
