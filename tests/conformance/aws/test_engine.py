"""Every AWS type in one stack, through the real engine."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from sandbox.providers.aws.tables import TABLE
from tests.rehearsal.engine import EngineProject, Run

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(900)]

PROGRAM = (Path(__file__).parent / "every_type.py").read_text(encoding="utf-8")
PASSWORD = "a password for tests 1"


@pytest.fixture
def project(sandbox: Any, tmp_path: Path) -> Iterator[EngineProject]:
    made = EngineProject(sandbox.environment, tmp_path / "aws", name=f"aws-{uuid.uuid4().hex[:8]}")
    yield made
    made.clear()


def _client(project: EngineProject, service: str) -> Any:
    environment = project.environment
    return boto3.client(
        service,
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )


def _changed(run: Run) -> dict[str, Any]:
    steps = [event["resourcePreEvent"]["metadata"] for event in run.events if "resourcePreEvent" in event]
    return {step["urn"]: step.get("detailedDiff") for step in steps if step["op"] not in ("same", "refresh")}


def test_a_stack_with_every_type(project: EngineProject) -> None:
    planned = project.preview(PROGRAM).expect_ok().changes["create"]
    made = project.up().expect_ok()
    assert made.changes == {"create": planned}
    used = {entry["type"] for entry in project.resources().values()}
    assert {entry.token for entry in TABLE} <= used, {entry.token for entry in TABLE} - used

    # Nothing drifts by itself, and the same program changes nothing.
    refreshed = project.refresh().expect_ok()
    assert refreshed.changes == {"same": planned}, _changed(refreshed)
    again = project.up().expect_ok()
    assert again.changes == {"same": planned}, _changed(again)

    # Secrets are encrypted in the state.
    assert project.outputs()["secret"] == PASSWORD
    assert PASSWORD not in json.dumps(project.state())

    # What somebody changed by hand is seen, and put right.
    bucket = project.outputs()["bucket"]
    tagging = {"TagSet": [{"Key": "by", "Value": "hand"}]}
    _client(project, "s3").put_bucket_tagging(Bucket=bucket, Tagging=tagging)
    assert project.refresh().expect_ok().changes.get("update") == 1
    assert project.up().expect_ok().steps("bucket") == ("update",)
    found = _client(project, "s3").get_bucket_tagging(Bucket=bucket)["TagSet"]
    assert {tag["Key"] for tag in found} == {"product", "environment"}

    project.destroy().expect_ok()
    assert bucket not in {entry["Name"] for entry in _client(project, "s3").list_buckets()["Buckets"]}


def test_import(project: EngineProject) -> None:
    client = _client(project, "iam")
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
    client.create_role(RoleName="made-by-hand", AssumeRolePolicyDocument=json.dumps(document), Description="by hand")
    project.adopt("aws:iam/role:Role", "adopted", "made-by-hand").expect_ok()
    entry = project.resources()["adopted"]
    assert entry["outputs"]["description"] == "by hand"
    assert json.loads(entry["inputs"]["assumeRolePolicy"]) == document
    program = f"""
        import pulumi_aws as aws

        aws.iam.Role("adopted", name="made-by-hand", description="by hand", assume_role_policy={json.dumps(document)!r})
    """
    assert project.up(program).expect_ok().changes.get("update", 0) == 0


def test_a_refused_property_is_named_before_anything_is_made(project: EngineProject) -> None:
    program = """
        import pulumi_aws as aws

        aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16")
        aws.elasticache.ReplicationGroup(
            "cache", description="x", transit_encryption_enabled=True, auth_token="0123456789abcdef",
            user_group_ids=["a"],
        )
    """
    refused = project.preview(program)
    assert not refused.ok
    text = "\n".join(refused.diagnostics)
    assert "authToken" in text and "userGroupIds" in text
    assert "Traceback" not in refused.stdout + refused.stderr
