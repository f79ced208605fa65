"""How databases, caches and their users are lived through; effects are read from the real servers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.conformance.aws.ec2_network_examples import TAGS, refused, subnet, vpc
from tests.conformance.aws.lifecycle import Example, World

PASSWORD = "a password for tests 1"


def _subnets(world: World) -> list[str]:
    network = vpc(world)
    zones = (("10.1.1.0/24", "us-east-1a"), ("10.1.2.0/24", "us-east-1b"))
    return [subnet(world, network, cidr, zone) for cidr, zone in zones]


def _subnet_group(world: World, service: str, name: str) -> str:
    return str(world.make(f"aws:{service}/subnetGroup:SubnetGroup", {"name": name, "subnetIds": _subnets(world)})["id"])


def _db_subnets_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    found = world.client("rds").describe_db_subnet_groups(DBSubnetGroupName=id)["DBSubnetGroups"][0]
    assert sorted(s["SubnetIdentifier"] for s in found["Subnets"]) == sorted(state["subnetIds"])


def _cache_subnets_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    found = world.client("elasticache").describe_cache_subnet_groups(CacheSubnetGroupName=id)["CacheSubnetGroups"][0]
    assert sorted(s["SubnetIdentifier"] for s in found["Subnets"]) == sorted(state["subnetIds"])


def _parameters_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    found = world.client("rds").describe_db_parameters(DBParameterGroupName=id, Source="user")["Parameters"]
    assert {p["ParameterName"]: p["ParameterValue"] for p in found} == {
        p["name"]: p["value"] for p in state["parameters"]
    }


def _parameters_gone(world: World, id: str, state: Mapping[str, Any]) -> None:
    left = world.client("rds").describe_db_parameter_groups()["DBParameterGroups"]
    assert id not in {group["DBParameterGroupName"] for group in left}


def _parameter(name: str, value: str) -> dict[str, str]:
    return {"name": name, "value": value, "applyMethod": "immediate"}


def _instance_inputs(world: World) -> dict[str, Any]:
    group = world.make(
        "aws:rds/parameterGroup:ParameterGroup",
        {"name": "example-instance", "family": "postgres18", "parameters": [_parameter("work_mem", "8192")]},
    )
    return {
        "identifier": "example-db",
        "engine": "postgres",
        "engineVersion": "18",
        "instanceClass": "db.t4g.medium",
        "allocatedStorage": 20,
        "dbName": "app",
        "username": "admin_user",
        "password": PASSWORD,
        "port": 5432,
        "storageEncrypted": True,
        "backupRetentionPeriod": 7,
        "skipFinalSnapshot": True,
        "dbSubnetGroupName": _subnet_group(world, "rds", "example-instance"),
        "parameterGroupName": group["name"],
        "tags": TAGS,
    }


def _connect(world: World, state: Mapping[str, Any], password: str) -> psycopg.Connection[Any]:
    database = world.supervisor.database(state["identifier"])
    assert database is not None
    return psycopg.connect(
        host=state["address"],
        port=state["port"],
        user=state["username"],
        password=password,
        dbname=state["dbName"],
        sslmode="verify-full",
        sslrootcert=str(database.certificate_authority_path),
    )


def _instance_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    found = world.client("rds").describe_db_instances(DBInstanceIdentifier=state["identifier"])["DBInstances"][0]
    assert found["DbiResourceId"] == id
    assert found["Endpoint"]["Port"] == state["port"]
    assert found["BackupRetentionPeriod"] == state["backupRetentionPeriod"]
    with _connect(world, state, state["password"]) as connection:
        assert connection.execute("SHOW work_mem").fetchone() == ("8MB",)
        assert connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (False,)


def _instance_gone(world: World, id: str, state: Mapping[str, Any]) -> None:
    refused("NotFound", world.client("rds").describe_db_instances, DBInstanceIdentifier=state["identifier"])
    assert world.supervisor.database(state["identifier"]) is None


OFF = "off ~nothing -@all"


def _user(world: World, id: str, name: str, access: str, password: str = PASSWORD) -> str:
    inputs = {"userId": id, "userName": name, "engine": "redis", "accessString": access, "passwords": [password]}
    return str(world.make("aws:elasticache/user:User", inputs)["id"])


def _user_group(world: World, name: str, *members: str) -> str:
    default = _user(world, f"{name}-default", "default", OFF)
    inputs = {"userGroupId": name, "engine": "redis", "userIds": [default, *members]}
    return str(world.make("aws:elasticache/userGroup:UserGroup", inputs)["id"])


def _cache_inputs(world: World) -> dict[str, Any]:
    member = _user(world, "example-app", "app", "on ~app:* +@all -@dangerous")
    return {
        "replicationGroupId": "example-cache",
        "description": "an example's",
        "nodeType": "cache.t4g.small",
        "numCacheClusters": 2,
        "automaticFailoverEnabled": True,
        "multiAzEnabled": True,
        "engine": "redis",
        "engineVersion": "7.1",
        "port": 6379,
        "atRestEncryptionEnabled": True,
        "transitEncryptionEnabled": True,
        "subnetGroupName": _subnet_group(world, "elasticache", "example-cache"),
        "userGroupIds": [_user_group(world, "example-cache", member)],
        "snapshotRetentionLimit": 1,
        "tags": TAGS,
    }


def log_in(world: World, address: str, port: int, name: str, password: str, cache: str) -> redis.Redis:
    server = world.supervisor.cache(cache)
    assert server is not None
    authority = str(server.certificate_authority_path)
    return redis.Redis(
        host=address,
        port=port,
        username=name,
        password=password,
        ssl=True,
        ssl_ca_certs=authority,
        retry=Retry(NoBackoff(), 0),  # a wrong password would be tried for seconds
    )


def _cache_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    found = world.client("elasticache").describe_replication_groups(ReplicationGroupId=id)["ReplicationGroups"][0]
    assert found["Description"] == state["description"]
    assert len(found["MemberClusters"]) == state["numCacheClusters"]
    assert found["NodeGroups"][0]["PrimaryEndpoint"]["Address"] == state["primaryEndpointAddress"]
    with log_in(world, state["primaryEndpointAddress"], state["port"], "app", PASSWORD, id) as client:
        client.set("app:greeting", "hello")
        assert client.get("app:greeting") == b"hello"
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.get("another:key")
    with (
        log_in(world, state["primaryEndpointAddress"], state["port"], "default", PASSWORD, id) as nobody,
        pytest.raises(redis.exceptions.AuthenticationError),
    ):
        nobody.ping()


def _cache_gone(world: World, id: str, state: Mapping[str, Any]) -> None:
    refused("NotFound", world.client("elasticache").describe_replication_groups, ReplicationGroupId=id)
    assert world.supervisor.cache(id) is None


def _user_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    found = world.client("elasticache").describe_users(UserId=id)["Users"][0]
    assert (found["UserName"], found["AccessString"]) == (state["userName"], state["accessString"])


def _user_gone(world: World, id: str, state: Mapping[str, Any]) -> None:
    refused("UserNotFound", world.client("elasticache").describe_users, UserId=id)


def _members(world: World, group: str) -> list[str]:
    return list(world.client("elasticache").describe_user_groups(UserGroupId=group)["UserGroups"][0]["UserIds"])


def _group_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    assert sorted(_members(world, id)) == sorted(state["userIds"])


def _group_gone(world: World, id: str, state: Mapping[str, Any]) -> None:
    refused("UserGroupNotFound", world.client("elasticache").describe_user_groups, UserGroupId=id)


def _group_inputs(world: World) -> dict[str, Any]:
    members = [_user(world, "one-default", "default", OFF), _user(world, "one", "one", "on ~one:* +@all")]
    return {"userGroupId": "example", "engine": "redis", "userIds": members, "tags": TAGS}


def _another_member(world: World) -> dict[str, Any]:
    return {"userIds": ["one-default", _user(world, "two", "two", "on ~two:* +@all")]}


def _association_inputs(world: World) -> dict[str, Any]:
    member = _user(world, "joiner", "joiner", "on ~joiner:* +@all")
    return {"userGroupId": _user_group(world, "joined"), "userId": member}


def _joined(world: World, id: str, state: Mapping[str, Any]) -> None:
    assert state["userId"] in _members(world, state["userGroupId"])


def _left(world: World, id: str, state: Mapping[str, Any]) -> None:
    assert state["userId"] not in _members(world, state["userGroupId"])


EXAMPLES = (
    Example(
        "aws:rds/subnetGroup:SubnetGroup",
        lambda world: {"name": "example", "subnetIds": _subnets(world), "description": "data", "tags": TAGS},
        change_made=lambda world: {"subnetIds": _subnets(world), "description": "more data"},
        replace={"name": "other"},
        seen=_db_subnets_seen,
        gone=lambda world, id, state: refused(
            "NotFound", world.client("rds").describe_db_subnet_groups, DBSubnetGroupName=id
        ),
    ),
    Example(
        "aws:rds/parameterGroup:ParameterGroup",
        lambda world: {
            "name": "example", "family": "postgres18", "tags": TAGS,
            "parameters": [_parameter("work_mem", "8192"), _parameter("rds.force_ssl", "1")],
        },
        change={"parameters": [_parameter("work_mem", "16384")]},
        replace={"family": "postgres17", "name": "other"},
        seen=_parameters_seen,
        gone=_parameters_gone,
    ),
    Example(
        "aws:rds/instance:Instance",
        _instance_inputs,
        change={"password": "another password 2", "backupRetentionPeriod": 14},
        replace={"username": "other", "dbName": "other", "storageEncrypted": False},
        seen=_instance_seen,
        gone=_instance_gone,
        import_id=lambda id, state: str(state["identifier"]),
        hidden=frozenset({"password", "skipFinalSnapshot", "port", "engineVersion"}),
        moving=frozenset({"latestRestorableTime"}),
        cut_off_in="rds_instances",
    ),
    Example(
        "aws:elasticache/subnetGroup:SubnetGroup",
        lambda world: {"name": "example", "subnetIds": _subnets(world), "tags": TAGS},
        change_made=lambda world: {"subnetIds": _subnets(world)},
        replace={"name": "other"},
        seen=_cache_subnets_seen,
        gone=lambda world, id, state: refused(
            "NotFound", world.client("elasticache").describe_cache_subnet_groups, CacheSubnetGroupName=id
        ),
    ),
    Example(
        "aws:elasticache/parameterGroup:ParameterGroup",
        lambda world: {
            "name": "example", "family": "redis7", "tags": TAGS,
            "parameters": [{"name": "maxmemory-policy", "value": "noeviction"}],
        },
        change={"parameters": [{"name": "maxmemory-policy", "value": "allkeys-lru"}]},
        replace={"family": "redis6.x"},
    ),
    Example(
        "aws:elasticache/replicationGroup:ReplicationGroup",
        _cache_inputs,
        change={"description": "changed", "snapshotRetentionLimit": 3, "numCacheClusters": 3},
        replace={"replicationGroupId": "other", "atRestEncryptionEnabled": False, "subnetGroupName": "other"},
        seen=_cache_seen,
        gone=_cache_gone,
        # AWS tells these of the member clusters, which moto does not make.
        hidden=frozenset({"port", "engineVersion", "subnetGroupName", "securityGroupIds", "parameterGroupName"}),
        cut_off_in="elasticache",
    ),
    Example(
        "aws:elasticache/user:User",
        lambda world: {
            "userId": "reader", "userName": "reader", "engine": "redis", "accessString": "on ~a:* -@all +@read",
            "passwords": [PASSWORD], "tags": TAGS,
        },
        change={"accessString": "on ~b:* -@all +@read", "passwords": ["another password 2"]},
        replace={"userName": "other", "userId": "other"},
        seen=_user_seen,
        gone=_user_gone,
        hidden=frozenset({"passwords"}),
    ),
    Example(
        "aws:elasticache/userGroup:UserGroup",
        _group_inputs,
        change_made=_another_member,
        replace={"userGroupId": "other", "engine": "valkey"},
        seen=_group_seen,
        gone=_group_gone,
    ),
    Example(
        "aws:elasticache/userGroupAssociation:UserGroupAssociation",
        _association_inputs,
        replace={"userId": "other", "userGroupId": "other"},
        seen=_joined,
        gone=_left,
    ),
)  # fmt: skip
