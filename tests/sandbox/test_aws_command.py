"""The `aws` command of the sandbox's environment never leaves the machine."""

from __future__ import annotations

import os
import subprocess

import pytest

from fleet.cloud import client
from sandbox.environment import environment
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


@pytest.fixture(params=["", "intranet.example, 127.0.0.1", "*"])
def behind_a_proxy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """As in a company: a proxy (that answers nobody) for all that NO_PROXY, which is this, does not name."""
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", request.param)
    return str(request.param)


def test_no_proxy_gets_in_between(sandbox: Sandbox, behind_a_proxy: str) -> None:
    variables = environment(sandbox.home)
    assert client("sts", "us-east-1", variables).get_caller_identity()["Account"] == "123456789012"
    shell = {**os.environ, **variables}
    asked = subprocess.run(["aws", "sts", "get-caller-identity"], env=shell, capture_output=True, text=True, timeout=60)
    assert asked.returncode == 0, asked.stderr[-500:]
    hosts = variables["NO_PROXY"].split(",")
    assert hosts == variables["no_proxy"].split(",")
    kept = [host.strip() for host in behind_a_proxy.split(",") if host]
    assert hosts[: len(kept)] == kept
    assert len(hosts) == len(set(hosts))
