"""A record that went while its server could not be ended: the endpoint's next start ends it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sandbox.home import Home
from sandbox.processes.aws import servers
from sandbox.processes.aws.decisions import Server
from tests.sandbox.aws_process import AwsProcess, data_home

GONE = [
    Server("rds", "one"),
    Server("rds", "two"),
    Server("eks nodes", "other/workers"),
    Server("eks nodes", "cell/workers"),
    Server("eks", "cell"),
]


def test_it_waits_until_the_sandbox_has_started_and_ends_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states, ended, done = ["starting", "starting", "degraded"], list[tuple[str, str]](), threading.Event()

    class Fake:
        def __init__(self, home: Home) -> None:
            pass

        def status(self) -> Any:
            return SimpleNamespace(state=states.pop(0), databases=("two", "other"), clusters=("cell",), caches=())

    def delete(service: str) -> Any:
        def deleted(_: Fake, name: str) -> None:
            assert not states
            ended.append((service, name))
            if service == "eks":
                done.set()

        return deleted

    monkeypatch.setattr(servers, "Supervisor", Fake)
    monkeypatch.setattr(servers, "_POLL_SECONDS", 0.01)
    monkeypatch.setattr(servers, "_DELETE", {service: delete(service) for service in ("eks", "eks nodes", "rds")})
    servers.Servers(Home(tmp_path)).end_left_behind(GONE)
    assert done.wait(10)
    assert ended == [("rds", "two"), ("eks nodes", "cell/workers"), ("eks", "cell")]


def test_a_start_finds_what_the_last_one_left(tmp_path: Path) -> None:
    process = AwsProcess(data_home(tmp_path))
    process.start()
    try:
        rds = process.client("rds")
        settings: Mapping[str, Any] = {"Engine": "postgres", "DBInstanceClass": "db.t4g.micro", "AllocatedStorage": 20}
        for name in ("kept", "lost", "again"):
            rds.create_db_instance(DBInstanceIdentifier=name, **settings)
            assert process.decide(f"rds/{name}", address="127.0.0.1", port=5432) == 200
        for name in ("lost", "again"):
            rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
        rds.create_db_instance(DBInstanceIdentifier="again", **settings)
        eks, of_cell = process.client("eks"), {"roleArn": "arn:aws:iam::123456789012:role/cell"}
        subnets = ["subnet-1", "subnet-2"]
        eks.create_cluster(name="cell", resourcesVpcConfig={"subnetIds": subnets}, **of_cell)
        eks.create_nodegroup(clusterName="cell", nodegroupName="workers", subnets=subnets, nodeRole=of_cell["roleArn"])
        eks.delete_nodegroup(clusterName="cell", nodegroupName="workers")
        log = process.home.root / "aws.log"
        assert "eks nodes cell/workers was deleted; no sandbox runs its server" in log.read_text()
        assert "rds lost was deleted; no sandbox runs its server" in log.read_text()
        process.kill()
        before = len(log.read_text())
        process.start()
        deadline = time.monotonic() + 10
        while "nobody to end" not in (told := log.read_text()[before:]):
            assert time.monotonic() < deadline, told
            time.sleep(0.05)
        assert "nobody to end rds lost, eks nodes cell/workers: " in told
    finally:
        process.stop()
