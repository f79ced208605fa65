"""What the runner's role lets it do, judged as IAM would: by action, resource and condition."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import botocore.session
import pytest

from catalog import identifiers
from components import tags, tenant_names
from components.aws.object_access import ObjectAccess
from components.aws.runner_identity import RunnerIdentity
from components.aws.tenant_boundary import TenantBoundary
from components.tenant import TenantWorkspace
from tests.components import samples
from tests.components.every_component import declared
from tests.components.iam_policies import Request, allows, several
from tests.components.recording import ACCOUNT, Recording, declare

ARN = f"arn:aws:{{}}:us-east-1:{ACCOUNT}:{{}}"
ROLES = f"arn:aws:iam::{ACCOUNT}:role/"
STATE = "arn:aws:s3:::state/team/.pulumi"
MARKS = tags.aws(samples.tenant_ownership("acme"), name="x")
OTHERS = {**MARKS, "product": "spoke"}
WITHIN = {"iam:PermissionsBoundary": samples.BOUNDARY}
BEYOND = {"iam:PermissionsBoundary": f"arn:aws:iam::{ACCOUNT}:policy/other"}

USER = ARN.format("elasticache", "user:" + tenant_names.cache_user("sandbox", "acme"))
ROLE = ROLES + tenant_names.role("chronos-cloud", "sandbox", "acme")
SECRET = ARN.format("secretsmanager", "secret:chronos-cloud/sandbox/tenants/acme/connections-AbCdEf")
SECRETS_MANAGER = "secretsmanager.us-east-1.amazonaws.com"
ELSEWHERE = ROLES + tenant_names.role("chronos-cloud", "sandbox-eu1", "acme")


def _marked(kind: str, marks: Mapping[str, str] = MARKS) -> dict[str, str]:
    return {f"aws:{kind}Tag/{key}": value for key, value in marks.items()}


@pytest.fixture(scope="module")
def identity() -> Recording:
    return declare(lambda: RunnerIdentity("identity", samples.runner_identity()))


@pytest.fixture(scope="module")
def statements(identity: Recording) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = identity.one("aws:iam/rolePolicy:RolePolicy").document()["Statement"]
    return found


ALLOWED = [
    # A tenant is built,
    Request("elasticache:CreateUser", USER, _marked("Request")),
    Request("elasticache:AddTagsToResource", USER, _marked("Request")),
    Request("elasticache:ModifyUserGroup", ARN.format("elasticache", "usergroup:group")),
    Request("elasticache:ModifyUserGroup", USER),
    Request("iam:CreateRole", ROLE, {**_marked("Request"), **WITHIN}),
    Request("iam:TagRole", ROLE, _marked("Request")),
    Request("iam:PutRolePolicy", ROLE, {**_marked("Resource"), **WITHIN}),
    Request("secretsmanager:CreateSecret", SECRET, _marked("Request")),
    Request("secretsmanager:TagResource", SECRET, _marked("Request")),
    Request("secretsmanager:PutSecretValue", SECRET, _marked("Resource")),
    # read anew,
    Request("elasticache:DescribeUsers", USER),
    Request("iam:GetRole", ROLE),
    Request("secretsmanager:GetSecretValue", SECRET),
    # given another cost centre, suspended,
    Request("iam:TagRole", ROLE, {"aws:RequestTag/cost-centre": "other", **_marked("Resource")}),
    Request("iam:UpdateAssumeRolePolicy", ROLE, _marked("Resource")),
    Request("elasticache:ModifyUser", USER, _marked("Resource")),
    # put within the boundary that a release before this one did not have,
    Request("iam:PutRolePermissionsBoundary", ROLE, {**_marked("Resource"), **WITHIN}),
    # and destroyed.
    Request("iam:DeleteRolePolicy", ROLE, _marked("Resource")),
    Request("iam:ListInstanceProfilesForRole", ROLE),
    Request("iam:DeleteRole", ROLE, _marked("Resource")),
    Request("elasticache:DeleteUser", USER, _marked("Resource")),
    Request("secretsmanager:DeleteSecret", SECRET, _marked("Resource")),
    Request("s3:ListBucketVersions", "arn:aws:s3:::objects", {"s3:prefix": "tenants/acme/"}),
    Request("s3:DeleteObjectVersion", "arn:aws:s3:::objects/tenants/acme/x"),
    # Its state, and what opens it.
    Request("s3:GetObject", f"{STATE}/meta.yaml"),
    Request("s3:GetObject", f"{STATE}/stacks/freehold/sandbox.json"),
    Request("s3:PutObject", f"{STATE}/stacks/freehold/tenant.sandbox.acme.json"),
    Request("s3:GetObject", f"{STATE}/stacks/freehold/tenant.sandbox.acme.json.gz"),
    Request("s3:PutObject", f"{STATE}/history/freehold/tenant.sandbox.acme/tenant.sandbox.acme-1.history.json"),
    Request("s3:PutObject", f"{STATE}/backups/freehold/tenant.sandbox.acme/tenant.sandbox.acme.1.json"),
    Request("s3:DeleteObject", f"{STATE}/locks/organization/freehold/tenant.sandbox.acme/1.json"),
    Request("s3:ListBucket", "arn:aws:s3:::state"),
    Request("kms:Decrypt", samples.SECRETS_KEY),
    Request("kms:Encrypt", samples.SECRETS_KEY),
    Request("secretsmanager:GetSecretValue", samples.DATABASE_SECRET),
    Request(
        "kms:Decrypt",
        ARN.format("kms", "key/database"),
        {
            "kms:EncryptionContext:SecretARN": samples.DATABASE_SECRET,
            "kms:ViaService": SECRETS_MANAGER,
        },
    ),
]
REFUSED = [
    # A role that could do more than a tenant's, by whichever way,
    Request("iam:CreateRole", ROLE, _marked("Request")),
    Request("iam:CreateRole", ROLE, {**_marked("Request"), **BEYOND}),
    Request("iam:PutRolePolicy", ROLE, _marked("Resource")),
    Request("iam:PutRolePermissionsBoundary", ROLE, {**_marked("Resource"), **BEYOND}),
    Request("iam:DeleteRolePermissionsBoundary", ROLE, {**_marked("Resource"), **WITHIN}),
    Request("iam:AttachRolePolicy", ROLE, {**_marked("Resource"), **WITHIN}),
    Request("iam:CreatePolicyVersion", samples.BOUNDARY),
    Request("iam:PassRole", ROLE),
    Request("sts:AssumeRole", ROLE),
    # its own among them; another cell's tenant; what is somebody else's under such a name.
    Request("iam:PutRolePolicy", f"{ROLES}chronos-cloud-sandbox-runner", {**_marked("Resource"), **WITHIN}),
    Request("iam:UpdateAssumeRolePolicy", f"{ROLES}chronos-cloud-sandbox-runner", _marked("Resource")),
    Request("iam:UpdateAssumeRolePolicy", ELSEWHERE, _marked("Resource")),
    Request("iam:DeleteRole", ROLE, _marked("Resource", OTHERS)),
    Request("iam:DeleteRole", ROLE),
    Request("elasticache:DeleteUser", USER),
    Request("elasticache:CreateUser", USER),
    Request("elasticache:CreateUser", USER, _marked("Request", OTHERS)),
    # Nor does it give away what is its tenants'.
    Request("iam:TagRole", ROLE, {**_marked("Resource"), **_marked("Request", OTHERS)}),
    Request("elasticache:AddTagsToResource", USER, {**_marked("Resource"), "aws:RequestTag/environment": "prod"}),
    Request("secretsmanager:TagResource", SECRET, {**_marked("Resource"), "aws:RequestTag/managed-by": "others"}),
    Request("elasticache:ModifyUser", ARN.format("elasticache", "user:chronos-cloud-sandbox-default")),
    Request("elasticache:ModifyUserGroup", ARN.format("elasticache", "usergroup:other")),
    Request(
        "secretsmanager:GetSecretValue", ARN.format("secretsmanager", "secret:chronos-cloud-sandbox-billing-AbCdEf")
    ),
    Request("secretsmanager:GetSecretValue", SECRET.replace("/sandbox/", "/sandbox-eu1/")),
    Request("secretsmanager:PutSecretValue", samples.DATABASE_SECRET, _marked("Resource")),
    # The platform's state is read and no more, and other stacks' not even that.
    Request("s3:PutObject", f"{STATE}/stacks/freehold/sandbox.json"),
    Request("s3:DeleteObject", f"{STATE}/locks/organization/freehold/sandbox/1.json"),
    Request("s3:GetObject", f"{STATE}/stacks/freehold/sandbox-eu1.json"),
    Request("s3:GetObject", f"{STATE}/stacks/freehold/tenant.sandbox-eu1.acme.json"),
    Request("s3:GetObject", f"{STATE}/stacks/other/tenant.sandbox.acme.json"),
    Request("s3:PutObject", f"{STATE}/meta.yaml"),
    Request("s3:GetObject", "arn:aws:s3:::objects/tenants/acme/x"),
    Request("s3:PutObject", "arn:aws:s3:::objects/tenants/acme/x"),
    Request("s3:DeleteObjectVersion", "arn:aws:s3:::objects/invoices/x"),
    Request("s3:ListBucketVersions", "arn:aws:s3:::objects", {"s3:prefix": ""}),
    Request("kms:Decrypt", ARN.format("kms", "key/database")),
    # The key of a database's secret, for another secret or by hand.
    Request("kms:Decrypt", ARN.format("kms", "key/database"), {"kms:ViaService": SECRETS_MANAGER}),
    Request(
        "kms:Decrypt",
        ARN.format("kms", "key/database"),
        {"kms:EncryptionContext:SecretARN": SECRET, "kms:ViaService": SECRETS_MANAGER},
    ),
    Request(
        "kms:Decrypt",
        ARN.format("kms", "key/database"),
        {"kms:EncryptionContext:SecretARN": samples.DATABASE_SECRET},
    ),
]


@pytest.mark.parametrize("request_", ALLOWED, ids=str)
def test_what_a_tenants_stack_takes_is_allowed(statements: list[dict[str, Any]], request_: Request) -> None:
    assert allows(statements, request_)


@pytest.mark.parametrize("request_", REFUSED, ids=str)
def test_anything_else_is_refused(statements: list[dict[str, Any]], request_: Request) -> None:
    assert not allows(statements, request_)


def test_it_fits_into_a_role_and_names_each_action_once_with_a_resource(statements: list[dict[str, Any]]) -> None:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: inline policies of a role
    assert len(json.dumps(statements, separators=(",", ":"))) < 10_240 - 500
    for one in statements:
        assert all("*" not in action for action in one["Action"])
        assert "*" not in several(one["Resource"])


def test_its_actions_are_the_services_own(statements: list[dict[str, Any]]) -> None:
    # What S3 asks of a role for a list and a head has no operation of the same name.
    permissions_only = {"DeleteObjectVersion", "ListBucket", "ListBucketVersions"}
    session = botocore.session.get_session()
    for service, action in (name.split(":") for one in statements for name in one["Action"]):
        operations = session.get_service_model(service).operation_names
        assert action in operations or action in permissions_only, f"{service}:{action}"


@pytest.mark.parametrize(
    ("backend", "object"),
    [
        ("s3://state", "arn:aws:s3:::state/.pulumi/meta.yaml"),
        ("s3://state/?region=us-east-1", "arn:aws:s3:::state/.pulumi/meta.yaml"),
        ("s3://state/a/b/", "arn:aws:s3:::state/a/b/.pulumi/meta.yaml"),
    ],
)
def test_state_lies_below_the_backends_address(backend: str, object: str) -> None:
    recording = declare(lambda: RunnerIdentity("identity", samples.runner_identity(backend)))
    found = recording.one("aws:iam/rolePolicy:RolePolicy").document()["Statement"]
    assert allows(found, Request("s3:GetObject", object))


def test_one_service_account_takes_the_role_and_it_logs_in_with_one_group(identity: Recording) -> None:
    trust = identity.one("aws:iam/role:Role").document("assumeRolePolicy")["Statement"]
    (condition,) = (one["Condition"] for one in trust)
    host = samples.ISSUER.removeprefix("https://")
    assert condition == {
        "StringEquals": {
            f"{host}:sub": ["system:serviceaccount:freehold-runner:runner"],
            f"{host}:aud": "sts.amazonaws.com",
        }
    }
    entry = identity.inputs("aws:eks/accessEntry:AccessEntry")
    assert entry["kubernetesGroups"] == ["freehold:runner"]
    assert entry["principalArn"].endswith(":identity-role-role")
    assert not identity.of("aws:eks/accessPolicyAssociation:AccessPolicyAssociation")


@pytest.mark.parametrize("cell", ["dev", "prod-eu1", "prod-" + "long" * 9])
@pytest.mark.parametrize("tenant", ["a", "acme", "t", "x" * identifiers.TENANT_ID_LIMIT])
def test_the_names_of_tenants_begin_as_the_role_expects(cell: str, tenant: str) -> None:
    expected = tenant_names.prefixes("chronos-cloud", cell)
    assert tenant_names.role("chronos-cloud", cell, tenant).startswith(expected.role)
    assert tenant_names.cache_user(cell, tenant).startswith(expected.cache_user)
    assert tenant_names.connections("chronos-cloud", cell, tenant).startswith(expected.secret)


def test_what_a_workspace_makes_is_within_what_the_runner_may_make(statements: list[dict[str, Any]]) -> None:
    recording = declare(lambda: TenantWorkspace("acme", samples.tenant("acme")))
    role, user, secret = (
        recording.inputs(type)
        for type in ("aws:iam/role:Role", "aws:elasticache/user:User", "aws:secretsmanager/secret:Secret")
    )
    boundary = {"iam:PermissionsBoundary": role["permissionsBoundary"]}
    for made in (
        Request("iam:CreateRole", ROLES + role["name"], {**_marked("Request", role["tags"]), **boundary}),
        Request(
            "elasticache:CreateUser",
            ARN.format("elasticache", "user:" + user["userId"]),
            _marked("Request", user["tags"]),
        ),
        Request(
            "secretsmanager:CreateSecret",
            ARN.format("secretsmanager", f"secret:{secret['name']}-AbCdEf"),
            _marked("Request", secret["tags"]),
        ),
    ):
        assert allows(statements, made), made
    known = {one.type for one in recording.resources if one.type.startswith("aws:")}
    # A further type takes further actions.
    assert known == {
        "aws:elasticache/user:User",
        "aws:elasticache/userGroupAssociation:UserGroupAssociation",
        "aws:iam/role:Role",
        "aws:iam/rolePolicy:RolePolicy",
        "aws:secretsmanager/secret:Secret",
        "aws:secretsmanager/secretVersion:SecretVersion",
    }


def test_the_boundary_holds_all_that_a_tenants_role_may_do_and_no_other_objects() -> None:
    bounds = declared(TenantBoundary).one("aws:iam/policy:Policy").document()["Statement"]
    own = declared(ObjectAccess).one("aws:iam/rolePolicy:RolePolicy").document()["Statement"]
    key = {"kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::objects"}
    for action, resource, context in (
        ("s3:ListBucket", "arn:aws:s3:::objects", {"s3:prefix": "tenants/acme/a"}),
        *((action, "arn:aws:s3:::objects/tenants/acme/a", {}) for action in own[1]["Action"]),
        *((action, f"arn:aws:kms:us-east-1:{ACCOUNT}:key/k", key) for action in own[2]["Action"]),
    ):
        assert allows(own, Request(action, resource, context)) and allows(bounds, Request(action, resource, context))
    for action, resource in (("s3:GetObject", "arn:aws:s3:::objects/other"), ("iam:CreateUser", "*")):
        assert not allows(bounds, Request(action, resource))
