"""The role of a tenant's objects: one prefix, for named service accounts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pulumi_aws import ec2

from components.aws.object_access import ObjectAccess
from tests.components import samples
from tests.components.recording import declare


def test_one_prefix_for_named_service_accounts() -> None:
    recording = declare(lambda: ObjectAccess("objects", samples.objects("acme", ("t-acme--a", "t-acme--b"))))
    role = recording.one("aws:iam/role:Role")
    condition = role.document("assumeRolePolicy")["Statement"][0]["Condition"]
    assert list(condition) == ["StringEquals"]
    assert condition["StringEquals"]["oidc.eks.us-east-1.amazonaws.com/id/0A1B:sub"] == [
        "system:serviceaccount:t-acme--a:workload",
        "system:serviceaccount:t-acme--b:workload",
    ]
    statements = {s["Sid"]: s for s in recording.one("aws:iam/rolePolicy:RolePolicy").document()["Statement"]}
    assert statements["Objects"]["Resource"] == "arn:aws:s3:::objects/tenants/acme/*"
    assert statements["List"]["Condition"] == {"StringLike": {"s3:prefix": ["tenants/acme/*"]}}
    assert all("*" not in str(s["Action"]) for s in statements.values())


def test_the_key_is_used_for_the_objects_of_that_bucket_only() -> None:
    recording = declare(lambda: ObjectAccess("objects", samples.objects("acme", ("t-acme--a",))))
    statements = {s["Sid"]: s for s in recording.one("aws:iam/rolePolicy:RolePolicy").document()["Statement"]}
    encryption = statements["Encryption"]
    assert encryption["Resource"] == samples.objects("acme", ()).key
    assert encryption["Condition"] == {"StringEquals": {"kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::objects"}}


def test_only_tokens_for_aws_are_taken_and_for_an_hour() -> None:
    recording = declare(lambda: ObjectAccess("objects", samples.objects("acme", ("t-acme--a",))))
    role = recording.one("aws:iam/role:Role")
    (trust,) = role.document("assumeRolePolicy")["Statement"]
    assert trust["Principal"] == {"Federated": samples.OIDC_PROVIDER}
    audience = trust["Condition"]["StringEquals"]["oidc.eks.us-east-1.amazonaws.com/id/0A1B:aud"]
    assert audience == "sts.amazonaws.com"
    assert role.plain()["maxSessionDuration"] == 3600


def test_who_takes_the_role_finds_its_policy() -> None:
    def program() -> None:
        access = ObjectAccess("objects", samples.objects("acme", ("t-acme--a",)))
        ec2.SecurityGroup("taker", description=access.role)

    recording = declare(program)
    assert recording.one("aws:iam/rolePolicy:RolePolicy").urn in recording.named("taker").dependencies


def test_a_prefix_without_its_slash_is_refused() -> None:
    args = replace(samples.objects("acme", ()), prefix="tenants/acme")
    with pytest.raises(ValueError, match="closing slash"):
        declare(lambda: ObjectAccess("objects", args))
