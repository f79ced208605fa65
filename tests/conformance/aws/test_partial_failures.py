"""A step that fails between the AWS endpoint and a real server: nothing is lost, and the next run ends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg
import pytest
import redis

from sandbox.providers.aws.api import Api, ApiError
from sandbox.providers.interface import PartialFailure, Properties, ProviderError, Resource
from sandbox.supervisor.client import Supervisor
from sandbox.supervisor.messages import NodeGroup
from tests.conformance.aws.cluster_examples import EXAMPLES as CLUSTERS
from tests.conformance.aws.cluster_examples import nodes
from tests.conformance.aws.data_examples import EXAMPLES as DATA
from tests.conformance.aws.data_examples import PASSWORD, log_in
from tests.conformance.aws.lifecycle import World

pytestmark = pytest.mark.sandbox


def made(world: World, token: str, **more: Any) -> tuple[Resource, str, Properties, Mapping[str, Any]]:
    """The type's example, created: what it is, its id, its inputs and outputs."""
    (example,) = (one for one in (*CLUSTERS, *DATA) if one.token == token)
    resource = world.resource(token)
    inputs = world.checked(resource, {**example.inputs(world), **more})
    created = world.provider.create(resource, inputs, preview=False, timeout=0)
    return resource, created.id, inputs, created.outputs


def failing(patched: pytest.MonkeyPatch, operation: str) -> None:
    """The endpoint refuses this operation; a method of the supervisor's client fails instead where it has one."""
    if hasattr(Supervisor, operation):

        def lost(*_: object, **__: object) -> None:
            raise ProviderError("the supervisor went away")

        patched.setattr(Supervisor, operation, lost)
        return
    call = Api.call

    def refuse(self: Api, service: str, called: str, **parameters: Any) -> dict[str, Any]:
        if called == operation:
            raise ApiError("InternalFailure", "try again later")
        return call(self, service, called, **parameters)

    patched.setattr(Api, "call", refuse)


def test_nodes_go_with_their_group_whichever_client_deletes_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    resource, id, inputs, state = made(world, "aws:eks/nodeGroup:NodeGroup")
    cluster, name = state["clusterName"], state["nodeGroupName"]
    assert nodes(world, state)
    world.client("eks").delete_nodegroup(clusterName=cluster, nodegroupName=name)
    assert world.provider.read(resource, id, inputs, state) is None and nodes(world, state) == []
    # The endpoint tries that once. What is left, the stand-in deletes, though the group is gone.
    world.supervisor.set_node_group(cluster, NodeGroup(name=name, size=1))
    with monkeypatch.context() as patched, pytest.raises(ProviderError, match="went away"):
        failing(patched, "delete_node_group")
        world.provider.delete(resource, id, inputs, state, timeout=0)
    assert nodes(world, state)
    world.provider.delete(resource, id, inputs, state, timeout=0)
    assert nodes(world, state) == []


def test_a_cache_whose_deletion_is_refused_keeps_its_data(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    resource, id, inputs, state = made(world, "aws:elasticache/replicationGroup:ReplicationGroup")
    try:
        with app(world, state) as client:
            client.set("app:greeting", "hello")
        with monkeypatch.context() as patched, pytest.raises(ProviderError, match="try again later"):
            failing(patched, "delete_replication_group")
            world.provider.delete(resource, id, inputs, state, timeout=0)
        with app(world, state) as client:
            assert client.get("app:greeting") == b"hello"
    finally:
        world.provider.delete(resource, id, inputs, state, timeout=0)
    assert world.supervisor.cache(id) is None


def app(world: World, state: Mapping[str, Any]) -> redis.Redis:
    return log_in(world, state["primaryEndpointAddress"], state["port"], "app", PASSWORD, state["replicationGroupId"])


def test_a_user_can_log_in_until_it_is_deleted_and_no_longer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = {"userId": "leaver", "userName": "leaver", "engine": "redis", "accessString": "on ~app:* +@all"}
    resource = world.resource("aws:elasticache/user:User")
    checked = world.checked(resource, {**inputs, "passwords": [PASSWORD]})
    user = world.provider.create(resource, checked, preview=False, timeout=0)
    cache, id, of_cache, state = made(world, "aws:elasticache/replicationGroup:ReplicationGroup")

    def leaver() -> redis.Redis:
        return log_in(world, state["primaryEndpointAddress"], state["port"], "leaver", PASSWORD, id)

    try:
        group = state["userGroupIds"][0]
        world.make(
            "aws:elasticache/userGroupAssociation:UserGroupAssociation", {"userGroupId": group, "userId": user.id}
        )
        with monkeypatch.context() as patched, pytest.raises(ProviderError, match="try again later"):
            failing(patched, "delete_user")
            world.provider.delete(resource, user.id, checked, user.outputs, timeout=0)
        world.provider.update(cache, id, of_cache, state, of_cache, preview=False, timeout=0)  # tells all users anew
        with leaver() as client:
            assert client.ping()
        world.provider.delete(resource, user.id, checked, user.outputs, timeout=0)
        with leaver() as client, pytest.raises(redis.exceptions.AuthenticationError):
            client.ping()
    finally:
        world.provider.delete(cache, id, of_cache, state, timeout=0)


def parameters(value: str) -> list[dict[str, str]]:
    return [{"name": "work_mem", "value": value, "applyMethod": "immediate"}]


def test_parameters_that_a_database_did_not_get_it_gets_with_the_next_update(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource, id, inputs, state = made(world, "aws:rds/instance:Instance")
    try:
        group = world.make(
            "aws:rds/parameterGroup:ParameterGroup",
            {"name": "later", "family": "postgres18", "parameters": parameters("16384")},
        )
        new = {**inputs, "parameterGroupName": group["name"]}
        with monkeypatch.context() as patched, pytest.raises(PartialFailure) as half:
            failing(patched, "update_database")
            world.provider.update(resource, id, inputs, state, new, preview=False, timeout=0)
        kept = half.value.outputs
        assert work_mem(world, state) == "8MB"
        state = world.provider.update(resource, id, new, kept, new, preview=False, timeout=0)
        assert work_mem(world, state) == "16MB"
        inputs = new
        of_group = world.resource("aws:rds/parameterGroup:ParameterGroup")
        before = world.checked(of_group, {k: group[k] for k in ("name", "family", "parameters", "description")})
        after = {**before, "parameters": parameters("4096")}
        with monkeypatch.context() as patched, pytest.raises(PartialFailure) as half:
            failing(patched, "update_database")
            world.provider.update(of_group, group["id"], before, group, after, preview=False, timeout=0)
        world.provider.update(of_group, group["id"], after, half.value.outputs, after, preview=False, timeout=0)
        assert work_mem(world, state) == "4MB"
    finally:
        world.provider.delete(resource, id, inputs, state, timeout=0)


def work_mem(world: World, state: Mapping[str, Any]) -> Any:
    database = world.supervisor.database(state["identifier"])
    assert database is not None
    with psycopg.connect(
        host=state["address"], port=state["port"], user=state["username"], password=PASSWORD, dbname=state["dbName"],
        sslmode="verify-full", sslrootcert=str(database.certificate_authority_path),
    ) as connection:  # fmt: skip
        row = connection.execute("SHOW work_mem").fetchone()
        assert row is not None
        return row[0]


def test_a_cache_follows_its_parameter_group_whichever_of_the_two_changes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def group(name: str, value: str) -> tuple[Resource, Properties]:
        resource = world.resource("aws:elasticache/parameterGroup:ParameterGroup")
        wanted = [{"name": "maxmemory-policy", "value": value}]
        return resource, world.checked(resource, {"name": name, "family": "redis7", "parameters": wanted})

    for name, value in (("first", "noeviction"), ("second", "allkeys-lru")):
        resource, inputs = group(name, value)
        world.provider.create(resource, inputs, preview=False, timeout=0)
    cache, id, before, state = made(
        world, "aws:elasticache/replicationGroup:ReplicationGroup", parameterGroupName="first"
    )

    def policy() -> str:
        found = world.supervisor.cache(id)
        assert found is not None
        return found.parameters["maxmemory-policy"]

    try:
        after = {**before, "parameterGroupName": "second"}
        with monkeypatch.context() as patched, pytest.raises(PartialFailure) as half:
            failing(patched, "update_cache")
            world.provider.update(cache, id, before, state, after, preview=False, timeout=0)
        assert policy() == "noeviction"
        state = world.provider.update(cache, id, after, half.value.outputs, after, preview=False, timeout=0)
        assert policy() == "allkeys-lru"
        resource, old = group("second", "allkeys-lru")
        resource, new = group("second", "volatile-ttl")
        world.provider.update(resource, "second", old, old, new, preview=False, timeout=0)
        assert policy() == "volatile-ttl"
        resource, new = group("first", "volatile-lru")
        world.provider.update(resource, "first", new, new, new, preview=False, timeout=0)
        assert policy() == "volatile-ttl", "it is told by a group that it does not name any more"
    finally:
        world.provider.delete(cache, id, before, state, timeout=0)
        for name in ("first", "second"):
            resource, inputs = group(name, "noeviction")
            world.provider.delete(resource, name, inputs, {}, timeout=0)
