"""What another client does to a record is done to its server: it goes with it, and stays where that is renamed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.supervisor.client import Supervisor
from tests.conformance.aws.lifecycle import World
from tests.conformance.aws.test_lifecycle import EXAMPLES

pytestmark = pytest.mark.sandbox

INSTANCE = "aws:rds/instance:Instance"
CLUSTER = "aws:eks/cluster:Cluster"
Delete = Callable[[World, str], object]


def _delete_instance(world: World, name: str) -> None:
    world.client("rds").delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)


def _delete_group(world: World, name: str) -> None:
    world.client("elasticache").delete_replication_group(ReplicationGroupId=name)


def _delete_cluster(world: World, name: str) -> None:
    world.client("eks").delete_cluster(name=name)


@pytest.mark.parametrize(
    ("token", "named", "server", "delete"),
    [
        (INSTANCE, "identifier", Supervisor.database, _delete_instance),
        ("aws:elasticache/replicationGroup:ReplicationGroup", "replicationGroupId", Supervisor.cache, _delete_group),
        (CLUSTER, "name", Supervisor.cluster, _delete_cluster),
    ],
    ids=["rds", "elasticache", "eks"],
)
def test_a_server_goes_with_its_record(
    world: World, token: str, named: str, server: Callable[[Supervisor, str], Any], delete: Delete
) -> None:
    (example,) = (one for one in EXAMPLES if one.token == token)
    provider, resource = world.provider, world.resource(token)
    inputs = world.checked(resource, example.inputs(world))
    name = str(inputs[named])
    made = provider.create(resource, inputs, preview=False, timeout=0)
    assert server(world.supervisor, name) is not None
    delete(world, name)
    assert server(world.supervisor, name) is None
    assert provider.read(resource, made.id, inputs, made.outputs) is None
    if token == CLUSTER:
        return  # to make another takes five seconds
    # What a refresh found gone is made again.
    again = provider.create(resource, inputs, preview=False, timeout=0)
    assert server(world.supervisor, name) is not None
    provider.delete(resource, again.id, inputs, again.outputs, timeout=0)


def test_a_server_stays_with_a_record_that_was_renamed(world: World) -> None:
    """As in docs/restore.md: the old instance is put aside and not deleted."""
    (example,) = (one for one in EXAMPLES if one.token == INSTANCE)
    provider, resource = world.provider, world.resource(INSTANCE)
    # A name of its own: its automated snapshot keeps the old name and tells the minute alone.
    name = "renamed-db"
    inputs = world.checked(resource, {**example.inputs(world), "identifier": name})
    made = provider.create(resource, inputs, preview=False, timeout=0)
    rds = world.client("rds")
    rds.modify_db_instance(DBInstanceIdentifier=name, NewDBInstanceIdentifier=f"{name}-old", ApplyImmediately=True)
    try:
        assert world.supervisor.database(name) is not None
    finally:
        _delete_instance(world, f"{name}-old")
    assert world.supervisor.database(name) is None
    assert provider.read(resource, made.id, inputs, made.outputs) is None
