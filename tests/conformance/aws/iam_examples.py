"""How the IAM types are lived through."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.conformance.aws.ec2_network_examples import TAGS, refused
from tests.conformance.aws.lifecycle import Example, World


def trust(service: str = "ec2.amazonaws.com") -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def allow(action: str) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})


def role(world: World) -> Mapping[str, Any]:
    return world.make("aws:iam/role:Role", {"assumeRolePolicy": trust()})


def policy(world: World) -> Mapping[str, Any]:
    return world.make("aws:iam/policy:Policy", {"policy": allow("s3:GetObject")})


def _role_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    found = world.client("iam").get_role(RoleName=id)["Role"]
    assert found["Arn"] == state["arn"]
    assert found["AssumeRolePolicyDocument"] == json.loads(state["assumeRolePolicy"])
    assert found["MaxSessionDuration"] == state["maxSessionDuration"]
    assert {tag["Key"]: tag["Value"] for tag in found["Tags"]} == state["tags"]


def _role_policy_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    found = world.client("iam").get_role_policy(RoleName=state["role"], PolicyName=state["name"])
    assert found["PolicyDocument"] == json.loads(state["policy"])


def _attachments(world: World, state: Mapping[str, Any]) -> list[str]:
    attached = world.client("iam").list_attached_role_policies(RoleName=state["role"])["AttachedPolicies"]
    return [item["PolicyArn"] for item in attached]


def _attached(world: World, id: str, state: Mapping[str, Any]) -> None:
    assert _attachments(world, state) == [state["policyArn"]]


def _detached(world: World, id: str, state: Mapping[str, Any]) -> None:
    assert _attachments(world, state) == []


def _policy_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    iam = world.client("iam")
    version = iam.get_policy(PolicyArn=id)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=id, VersionId=version)["PolicyVersion"]["Document"]
    assert document == json.loads(state["policy"])


def _oidc_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    found = world.client("iam").get_open_id_connect_provider(OpenIDConnectProviderArn=id)
    assert found["ClientIDList"] == state["clientIdLists"]
    assert found["Url"].removeprefix("https://") == "oidc.example.test/id/1"


EXAMPLES = (
    Example(
        "aws:iam/role:Role",
        lambda world: {
            "name": "worker", "assumeRolePolicy": trust(), "description": "runs", "maxSessionDuration": 7200,
            "tags": TAGS,
        },
        change={
            "assumeRolePolicy": trust("lambda.amazonaws.com"), "maxSessionDuration": 3600,
            "tags": {"product": "spoke"},
        },
        replace={"name": "other", "path": "/else/"},
        seen=_role_seen,
        gone=lambda world, id, state: refused("NoSuchEntity", world.client("iam").get_role, RoleName=id),
    ),
    Example(
        "aws:iam/rolePolicy:RolePolicy",
        lambda world: {"role": role(world)["id"], "name": "may", "policy": allow("s3:GetObject")},
        change={"policy": allow("s3:PutObject")},
        replace={"name": "other", "role": "other"},
        seen=_role_policy_seen,
        gone=lambda world, id, state: refused(
            "NoSuchEntity", world.client("iam").get_role_policy, RoleName=state["role"], PolicyName=state["name"]
        ),
    ),
    Example(
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        lambda world: {"role": role(world)["id"], "policyArn": policy(world)["arn"]},
        replace={"role": "other", "policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"},
        seen=_attached,
        gone=_detached,
    ),
    Example(
        "aws:iam/policy:Policy",
        lambda world: {"name": "reader", "policy": allow("s3:GetObject"), "description": "reads", "tags": TAGS},
        change={"policy": allow("s3:List*"), "tags": {"product": "spoke"}},
        replace={"name": "other", "description": "other", "path": "/else/"},
        seen=_policy_seen,
        gone=lambda world, id, state: refused("NoSuchEntity", world.client("iam").get_policy, PolicyArn=id),
    ),
    Example(
        "aws:iam/openIdConnectProvider:OpenIdConnectProvider",
        lambda world: {"url": "https://oidc.example.test/id/1", "clientIdLists": ["sts.amazonaws.com"], "tags": TAGS},
        change={"clientIdLists": ["sts.amazonaws.com", "another"]},
        replace={"url": "https://oidc.example.test/id/2"},
        seen=_oidc_seen,
        gone=lambda world, id, state: refused(
            "NoSuchEntity", world.client("iam").get_open_id_connect_provider, OpenIDConnectProviderArn=id
        ),
    ),
)  # fmt: skip
