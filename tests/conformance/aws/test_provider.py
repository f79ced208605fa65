"""Functions, partial failure and repair, drift, and what is found again after the AWS endpoint was killed."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from sandbox.providers.aws import tagging
from sandbox.providers.interface import PartialFailure, ProviderError, Value
from tests.conformance.aws import cluster_examples
from tests.conformance.aws.iam_examples import trust
from tests.conformance.aws.lifecycle import World

pytestmark = pytest.mark.sandbox


def test_who_and_where(world: World) -> None:
    who = world.provider.invoke("aws:index/getCallerIdentity:getCallerIdentity", {})
    assert who["accountId"] == world.client("sts").get_caller_identity()["Account"]
    assert str(who["arn"]).endswith(":user/freehold-operator")
    assert world.provider.invoke("aws:index/getRegion:getRegion", {})["region"] == "us-east-1"
    assert world.provider.invoke("aws:index/getPartition:getPartition", {})["dnsSuffix"] == "amazonaws.com"
    zones = world.provider.invoke("aws:index/getAvailabilityZones:getAvailabilityZones", {"state": "available"})
    names = zones["names"]
    assert isinstance(names, list) and len(names) >= 3 and names == sorted(names)


def test_credentials_of_an_account_that_is_not_named_are_refused(sandbox: Any) -> None:
    account = World(sandbox.environment).client("sts").get_caller_identity()["Account"]
    World(sandbox.environment, {"allowedAccountIds": json.dumps(["222222222222", account])})
    with pytest.raises(ProviderError, match=f"account {account} is not among allowedAccountIds"):
        World(sandbox.environment, {"allowedAccountIds": json.dumps(["222222222222"])})


def test_a_secret_is_read_by_function(world: World) -> None:
    secret = world.make("aws:secretsmanager/secret:Secret", {"recoveryWindowInDays": 0})["id"]
    token = "aws:secretsmanager/getSecretVersion:getSecretVersion"
    with pytest.raises(ProviderError, match="ResourceNotFoundException"):
        world.provider.invoke(token, {"secretId": secret})
    world.make("aws:secretsmanager/secretVersion:SecretVersion", {"secretId": secret, "secretString": "one"})
    world.client("secretsmanager").put_secret_value(SecretId=secret, SecretString="two")
    assert world.provider.invoke(token, {"secretId": secret})["secretString"] == "two"
    assert world.provider.invoke(token, {"secretId": secret, "versionStage": "AWSPREVIOUS"})["secretString"] == "one"
    assert world.provider.secret_outputs(token) == {"secretString", "secretBinary"}
    with pytest.raises(ProviderError, match=r"secretId: missing required property"):
        world.provider.invoke(token, {})


def test_a_binary_secret_is_given_and_told_in_base64_and_kept_without(world: World) -> None:
    content = b"\x00\xffkey"
    secret = world.make("aws:secretsmanager/secret:Secret", {"recoveryWindowInDays": 0})["id"]
    resource = world.resource("aws:secretsmanager/secretVersion:SecretVersion")
    inputs = world.checked(resource, {"secretId": secret, "secretBinary": base64.b64encode(content).decode()})
    made = world.provider.create(resource, inputs, preview=False, timeout=0)
    assert world.client("secretsmanager").get_secret_value(SecretId=secret)["SecretBinary"] == content
    found = world.provider.read(resource, made.id, inputs, made.outputs)
    assert found is not None and found.outputs["secretBinary"] == found.inputs["secretBinary"] == inputs["secretBinary"]
    told = world.provider.invoke("aws:secretsmanager/getSecretVersion:getSecretVersion", {"secretId": secret})
    assert str(told["secretBinary"]).endswith("key")


def test_node_groups_are_read_by_function(world: World) -> None:
    token = "aws:eks/get{0}:get{0}".format

    def clusters() -> list[Value]:
        names = world.provider.invoke(token("Clusters"), {})["names"]
        assert isinstance(names, list)
        return names

    others = clusters()  # of other tests
    inputs = next(one for one in cluster_examples.EXAMPLES if one.token.endswith(":NodeGroup")).inputs(world)
    cluster = inputs["clusterName"]
    assert [one for one in clusters() if one not in others] == [cluster]
    assert world.provider.invoke(token("NodeGroups"), {"clusterName": cluster})["names"] == []
    with pytest.raises(ProviderError, match="ResourceNotFoundException"):
        world.provider.invoke(token("NodeGroups"), {"clusterName": "another"})
    with pytest.raises(ProviderError, match="ResourceNotFoundException"):
        world.provider.invoke(token("NodeGroup"), {"clusterName": cluster, "nodeGroupName": "workers"})
    made = world.make("aws:eks/nodeGroup:NodeGroup", inputs)
    assert world.provider.invoke(token("NodeGroups"), {"clusterName": cluster})["names"] == ["workers"]
    size = {"minSize": 1, "maxSize": 3, "desiredSize": 3}
    world.client("eks").update_nodegroup_config(clusterName=cluster, nodegroupName="workers", scalingConfig=size)
    found = world.provider.invoke(token("NodeGroup"), {"clusterName": cluster, "nodeGroupName": "workers"})
    assert found["scalingConfigs"] == [size]
    same = ("id", "arn", "instanceTypes", "nodeRoleArn", "capacityType", "version", "labels")
    assert {name: found[name] for name in same} == {name: made[name] for name in same}
    assert found.keys() <= world.provider.sdk.invoke_outputs(token("NodeGroup")).keys()


def test_a_policy_document(world: World) -> None:
    statement: dict[str, Value] = {
        "sid": "Read",
        "actions": ["s3:GetObject", "s3:ListBucket"],
        "resources": ["arn:aws:s3:::a/&{aws:username}/*"],
        "principals": [{"type": "Service", "identifiers": ["ec2.amazonaws.com"]}],
        "conditions": [
            {"test": "StringLike", "variable": "s3:prefix", "values": ["home/"]},
            {"test": "StringEquals", "variable": "aws:PrincipalTag/a", "values": ["1"]},
            {"test": "StringEquals", "variable": "aws:PrincipalTag/a", "values": ["2", "3"]},
        ],
    }
    made = world.provider.invoke("aws:iam/getPolicyDocument:getPolicyDocument", {"statements": [statement]})
    assert (
        json.loads(str(made["json"]))
        == json.loads(str(made["minifiedJson"]))
        == {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "Read",
                    "Effect": "Allow",
                    "Action": ["s3:ListBucket", "s3:GetObject"],
                    "Resource": "arn:aws:s3:::a/${aws:username}/*",
                    "Principal": {"Service": "ec2.amazonaws.com"},
                    "Condition": {
                        "StringLike": {"s3:prefix": "home/"},
                        "StringEquals": {"aws:PrincipalTag/a": ["1", "2", "3"]},
                    },
                }
            ],
        }
    )


def test_what_was_made_is_kept_whatever_fails_after_it(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An answer of another form than anybody thought of, to a step that comes after the create."""

    def fail(*_: object) -> None:
        raise KeyError("cluster")

    resource = world.resource("aws:s3/bucket:Bucket")
    inputs = world.checked(resource, {"forceDestroy": True, "tags": {"product": "chronos"}})
    with monkeypatch.context() as broken, pytest.raises(PartialFailure) as failure:
        broken.setattr(tagging, "apply", fail)
        world.provider.create(resource, inputs, preview=False, timeout=0)
    assert failure.value.id in {bucket["Name"] for bucket in world.client("s3").list_buckets()["Buckets"]}
    assert "unexpected failure in the sandbox's provider, see its log: KeyError: 'cluster'" in failure.value.reasons[0]
    assert f"{resource.urn} failed unexpectedly\nTraceback" in caplog.text
    world.provider.delete(resource, failure.value.id, inputs, failure.value.outputs, timeout=0)


def test_what_was_half_made_is_kept_and_repaired(world: World) -> None:
    """The bucket exists when its tags are refused: it is reported as it is, and the next update tags it."""
    resource = world.resource("aws:s3/bucket:Bucket")
    inputs = world.checked(resource, {"forceDestroy": True, "tags": {"aws:reserved": "x", "product": "chronos"}})
    with pytest.raises(PartialFailure) as failure:
        world.provider.create(resource, inputs, preview=False, timeout=0)
    half = failure.value
    assert half.id in {bucket["Name"] for bucket in world.client("s3").list_buckets()["Buckets"]}
    assert "aws:s3/bucket:Bucket" in half.reasons[0] and "\n" not in half.reasons[0]
    assert half.outputs.get("tags") in ({}, None)
    mended = world.checked(resource, {"forceDestroy": True, "tags": {"product": "chronos"}}, inputs)
    # The engine keeps the inputs that it sent, whatever came of them.
    state = world.provider.update(resource, half.id, mended, half.outputs, mended, preview=False, timeout=0)
    assert state["tags"] == {"product": "chronos"}
    found = world.client("s3").get_bucket_tagging(Bucket=half.id)["TagSet"]
    assert found == [{"Key": "product", "Value": "chronos"}]
    world.provider.delete(resource, half.id, mended, state, timeout=0)


def test_a_database_whose_server_never_started_gets_one(world: World) -> None:
    """A create that was cut short after the API's half: the engine's next update repairs it."""
    resource = world.resource("aws:rds/instance:Instance")
    given: dict[str, Value] = {
        "identifier": "cut-short", "engine": "postgres", "instanceClass": "db.t4g.small", "allocatedStorage": 20,
        "username": "keeper", "password": "a password 123", "skipFinalSnapshot": True,
    }  # fmt: skip
    inputs = world.checked(resource, given)
    made = world.client("rds").create_db_instance(
        DBInstanceIdentifier="cut-short", Engine="postgres", DBInstanceClass="db.t4g.small", AllocatedStorage=20,
        MasterUsername="keeper", MasterUserPassword="a password 123",
    )["DBInstance"]  # fmt: skip
    assert world.supervisor.database("cut-short") is None
    id = made["DbiResourceId"]
    state = world.provider.update(resource, id, inputs, {}, inputs, preview=False, timeout=0)
    server = world.supervisor.database("cut-short")
    assert server is not None and state["endpoint"] == f"{server.host}:{server.port}"
    world.provider.delete(resource, id, inputs, state, timeout=0)
    assert world.supervisor.database("cut-short") is None


def test_a_replacement_under_the_same_name_deletes_first(world: World) -> None:
    role = world.resource("aws:iam/role:Role")
    named = world.checked(role, {"assumeRolePolicy": trust(), "name": "chosen"})
    assert world.provider.diff(role, "chosen", named, {}, {**named, "path": "/else/"}).delete_before_replace
    generated = world.checked(role, {"assumeRolePolicy": trust()})
    assert not world.provider.diff(role, "x", generated, {}, {**generated, "path": "/else/"}).delete_before_replace
    association = world.resource("aws:eks/accessPolicyAssociation:AccessPolicyAssociation")
    given: dict[str, Value] = {
        "clusterName": "c",
        "principalArn": "p",
        "policyArn": "q",
        "accessScope": {"type": "cluster"},
    }
    wider: dict[str, Value] = {**given, "accessScope": {"type": "namespace", "namespaces": ["a"]}}
    scope = world.provider.diff(association, "c#p#q", given, given, wider)
    assert scope.changes["accessScope.type"].replaces
    assert not scope.delete_before_replace, "it has no name of its own: the program says `delete_before_replace`"


def test_drift_is_seen_and_put_right(world: World) -> None:
    resource = world.resource("aws:iam/role:Role")
    inputs = world.checked(resource, {"assumeRolePolicy": trust(), "description": "ours"})
    created = world.provider.create(resource, inputs, preview=False, timeout=0)
    world.client("iam").update_role(RoleName=created.id, Description="theirs")
    found = world.provider.read(resource, created.id, inputs, created.outputs)
    assert found is not None and found.inputs["description"] == found.outputs["description"] == "theirs"
    assert set(world.provider.diff(resource, created.id, found.inputs, found.outputs, inputs).changes) == {
        "description"
    }
    state = world.provider.update(resource, created.id, found.inputs, found.outputs, inputs, preview=False, timeout=0)
    assert world.client("iam").get_role(RoleName=created.id)["Role"]["Description"] == "ours"
    world.provider.delete(resource, created.id, inputs, state, timeout=0)


def test_a_bucket_with_objects_is_not_destroyed_unless_told(world: World) -> None:
    resource = world.resource("aws:s3/bucket:Bucket")
    inputs = world.checked(resource, {})
    created = world.provider.create(resource, inputs, preview=False, timeout=0)
    s3 = world.client("s3")
    s3.put_object(Bucket=created.id, Key="a", Body=b"1")
    with pytest.raises(ProviderError, match="BucketNotEmpty"):
        world.provider.delete(resource, created.id, inputs, created.outputs, timeout=0)
    world.provider.delete(resource, created.id, {**inputs, "forceDestroy": True}, created.outputs, timeout=0)
    assert created.id not in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}


def test_what_rds_refuses_of_an_instance_and_its_groups(world: World) -> None:
    def group(name: str, version: str) -> Any:
        return world.make(
            "aws:rds/parameterGroup:ParameterGroup", {"name": name, "family": f"postgres{version}", "parameters": []}
        )["name"]

    resource = world.resource("aws:rds/instance:Instance")
    given: dict[str, Value] = {
        "identifier": "refused", "engine": "postgres", "engineVersion": "17", "instanceClass": "db.t4g.small",
        "allocatedStorage": 30, "username": "keeper", "password": "a password 123", "skipFinalSnapshot": True,
        "parameterGroupName": group("for-17", "17"),
    }  # fmt: skip
    newer: dict[str, Value] = {"engineVersion": "18", "parameterGroupName": group("for-18", "18")}
    with pytest.raises(ProviderError, match="for-18 is of the family postgres18; version 17 takes"):
        world.provider.create(
            resource, world.checked(resource, {**given, "parameterGroupName": "for-18"}), preview=False, timeout=0
        )
    inputs = world.checked(resource, given)
    created = world.provider.create(resource, inputs, preview=False, timeout=0)

    def update(**changed: Value) -> Any:
        new = world.checked(resource, {**given, **changed}, inputs)
        return world.provider.update(resource, created.id, inputs, created.outputs, new, preview=False, timeout=0)

    for changed, reason in (
        (newer, "engineVersion: from 17 to 18 requires allowMajorVersionUpgrade"),
        ({"engineVersion": "18", "allowMajorVersionUpgrade": True}, "for-17 is of the family postgres17"),
        ({"allocatedStorage": 20}, "cannot be made smaller"),
    ):
        with pytest.raises(ProviderError, match=reason):
            update(**changed)
    groups = world.resource("aws:rds/parameterGroup:ParameterGroup")
    with pytest.raises(ProviderError, match="for-17 is in use by the instance refused"):
        world.provider.delete(groups, "for-17", {}, {}, timeout=0)
    state = update(**newer, allowMajorVersionUpgrade=True)
    assert state["engineVersion"] == "18"
    world.provider.delete(groups, "for-17", {}, {}, timeout=0)
    world.provider.delete(resource, created.id, inputs, state, timeout=0)


def test_a_protected_database_is_not_deleted(world: World) -> None:
    resource = world.resource("aws:rds/instance:Instance")
    given: dict[str, Value] = {
        "engine": "postgres", "instanceClass": "db.t4g.small", "allocatedStorage": 20, "username": "keeper",
        "password": "a password 123", "deletionProtection": True, "skipFinalSnapshot": False,
    }  # fmt: skip
    inputs = world.checked(resource, given)
    created = world.provider.create(resource, inputs, preview=False, timeout=0)
    with pytest.raises(ProviderError, match="finalSnapshotIdentifier is required"):
        world.provider.delete(resource, created.id, inputs, created.outputs, timeout=0)
    final = {**inputs, "finalSnapshotIdentifier": "the-last"}
    with pytest.raises(ProviderError, match="deletionProtection on"):
        world.provider.delete(resource, created.id, final, created.outputs, timeout=0)
    open_ = world.checked(
        resource, {**given, "deletionProtection": False, "finalSnapshotIdentifier": "the-last"}, inputs
    )
    state = world.provider.update(resource, created.id, inputs, created.outputs, open_, preview=False, timeout=0)
    world.provider.delete(resource, created.id, open_, state, timeout=0)
    snapshots = world.client("rds").describe_db_snapshots(DBSnapshotIdentifier="the-last")["DBSnapshots"]
    assert snapshots[0]["DBInstanceIdentifier"] == inputs["identifier"]
    world.client("rds").delete_db_snapshot(DBSnapshotIdentifier="the-last")
