"""The `aws` command of the sandbox's environment never leaves the machine."""

from __future__ import annotations

import subprocess

import pytest

from tests.temporary_sandbox import Sandbox

pytestmark = pytest.mark.sandbox


@pytest.mark.parametrize(
    "command",
    [
        ("rds", "describe-db-instances"),  # one of the services that version 1 sends to AWS in us-east-1 all the same
        ("sqs", "list-queues"),
        ("s3api", "list-buckets"),
        ("sts", "get-caller-identity"),
    ],
)
def test_it_asks_the_sandbox(sandbox: Sandbox, command: tuple[str, str]) -> None:
    asked = subprocess.run(
        ["aws", *command, "--debug"], env=dict(sandbox.environment), capture_output=True, text=True, timeout=60
    )
    assert asked.returncode == 0, asked.stderr[-500:]
    assert sandbox.environment["AWS_ENDPOINT_URL"] in asked.stderr
    assert "Endpoint provider result: https://" not in asked.stderr
