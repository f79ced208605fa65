"""The instances that the tests of this folder share."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from sandbox.supervisor.client import Supervisor
from sandbox.supervisor.messages import Cache, Database
from tests.sandbox.aws_process import AwsProcess, data_home
from tests.temporary_sandbox import Sandbox

PASSWORD = "p4ssword-p4ssword"


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsProcess]:
    """An AWS endpoint beside the sandbox's, which a test may kill and start again."""
    process = AwsProcess(data_home(tmp_path_factory.mktemp("aws")))
    process.start()
    yield process
    process.stop()


@pytest.fixture(scope="session")
def database(sandbox: Sandbox) -> Database:
    return sandbox.supervisor.create_database("processes", username="keeper", password=PASSWORD, database="tenants")


@pytest.fixture(scope="session")
def cache(sandbox: Sandbox) -> Cache:
    return sandbox.supervisor.create_cache("processes")


def kill_and_wait(supervisor: Supervisor, name: str) -> None:
    """SIGKILL to a managed process; returns once it serves again."""
    before = next(process for process in supervisor.status().processes if process.name == name)
    assert before.pid is not None
    os.kill(before.pid, signal.SIGKILL)
    deadline = time.monotonic() + 90
    while True:
        now = next(process for process in supervisor.status().processes if process.name == name)
        if now.state == "ready" and now.restarts > before.restarts:
            return
        assert time.monotonic() < deadline, f"{name} did not come back: {now}"
        time.sleep(0.1)
