"""kill -9 of the API server while the engine works: the sandbox starts it again and nothing is lost or made twice."""

from __future__ import annotations

import os
import signal

import pytest

from sandbox.supervisor.client import Supervisor
from tests.conformance.kubernetes.conftest import Api
from tests.rehearsal.engine import EngineProject

pytestmark = pytest.mark.sandbox

COUNT = 60
PROGRAM = """
import pulumi_kubernetes as k8s
for index in range({count}):
    name = f"c{{index}}"
    k8s.core.v1.ConfigMap(name, metadata={{"name": name, "namespace": {namespace!r}}}, data={{"a": "1"}})
"""


def _count(api: Api, namespace: str) -> int:
    found = api.kubectl("get", "configmaps", "-n", namespace, "-o", "name").split()
    return len([name for name in found if not name.endswith("kube-root-ca.crt")])


def test_an_api_server_that_is_killed_during_up(api: Api, project: EngineProject, namespace: str) -> None:
    server = next(
        process
        for process in Supervisor.connect(api.home).status().processes
        if process.kind == "kube-apiserver" and process.instance == "conformance"
    )
    assert server.pid is not None
    project.program(PROGRAM.format(count=COUNT, namespace=namespace))
    run = project.start("up", "--yes", "--skip-preview")
    try:
        with api.watched("configmaps", namespace) as names:
            for _ in range(5):
                assert names.readline()
            assert run.poll() is None, "too late: the update has ended"
            os.kill(server.pid, signal.SIGKILL)
        output, errors = run.communicate(timeout=240)
    finally:
        run.kill()
        run.communicate()
    assert run.returncode == 0, output + errors
    assert _count(api, namespace) == COUNT
    assert project.up().expect_ok().changes == {"same": COUNT + 1}
    restarted = next(p for p in Supervisor.connect(api.home).status().processes if p.name == server.name)
    assert restarted.pid != server.pid, "it was not killed at all"
