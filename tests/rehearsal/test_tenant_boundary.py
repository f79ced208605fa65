"""The runner's identity and the tenants' boundary, made by the real engine on the sandbox's AWS."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from sandbox.home import CHECKOUT
from tests.rehearsal.engine import EngineProject

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(300)]

# A role that was made before there was a boundary, then one within it: as tenants are when their platform is updated.
PROGRAM = f"""
import sys
sys.path.insert(0, {str(CHECKOUT)!r})
from dataclasses import replace
import pulumi
from components.aws.object_access import ObjectAccess
from components.aws.runner_identity import RunnerIdentity
from components.aws.tenant_boundary import TenantBoundary
from tests.components import samples
from tests.components.every_component import SAMPLES
boundary = SAMPLES[TenantBoundary]("boundary", None)
RunnerIdentity("runner", replace(samples.runner_identity(), boundary=boundary.reference))
access = ObjectAccess("objects", replace(samples.objects("acme", ("t-acme--default",)), boundary=BOUNDARY))
pulumi.export("boundary", boundary.reference)
"""


@pytest.fixture
def project(sandbox: Any, tmp_path: Path) -> Iterator[EngineProject]:
    made = EngineProject(sandbox.environment, tmp_path / "identity", name=f"i{uuid.uuid4().hex[:8]}")
    yield made
    made.destroy().expect_ok()


def test_roles_are_put_within_the_boundary_and_stay_there(project: EngineProject) -> None:
    environment = project.environment
    iam = boto3.client(
        "iam",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )
    role = "chronos-cloud-sandbox-t-acme"
    project.up(PROGRAM.replace("BOUNDARY", "None")).expect_ok()
    assert "PermissionsBoundary" not in iam.get_role(RoleName=role)["Role"]
    moved = project.up(PROGRAM.replace("BOUNDARY", "boundary.reference")).expect_ok()
    assert moved.steps("objects-role-role") == ("update",)
    boundary = project.outputs()["boundary"]
    assert iam.get_role(RoleName=role)["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary
    assert set(project.up().expect_ok().changes) == set(project.refresh().expect_ok().changes) == {"same"}
    (policy,) = iam.list_role_policies(RoleName="chronos-cloud-sandbox-runner")["PolicyNames"]
    document = iam.get_role_policy(RoleName="chronos-cloud-sandbox-runner", PolicyName=policy)["PolicyDocument"]
    assert boundary in json.dumps(document)
