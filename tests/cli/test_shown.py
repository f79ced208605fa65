"""What `sandbox status` and `status` show where something is not as it should be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from cli.live import Line, Live
from cli.summary import Summary, show
from sandbox.home import Home
from sandbox.supervisor.messages import ProcessState, ProcessStatus, Status
from tests.cli.fake_supervisor import answering
from tests.cli.test_bad_input import freehold

NAME = "kube-controller-manager-chronos-cloud-sandbox"


def process(name: str, state: ProcessState, message: str = "") -> ProcessStatus:
    return ProcessStatus(
        name=name,
        kind=name.partition("-")[0],
        instance=None,
        state=state,
        pid=123456,
        port=12345,
        restarts=3,
        started_seconds=1.25,
        memory_bytes=50 << 20,
        log=Path("/log"),
        message=message,
    )


def test_sandbox_status_in_a_pipe_has_whole_names_and_the_words_of_the_log(tmp_path: Path) -> None:
    said = "ended with exit code 1: cannot lock [/var/lib/x]"
    home = Home(tmp_path / "[home]")
    status = Status(
        home=home.root,
        supervisor_pid=1,
        state="degraded",
        aws_endpoint="http://127.0.0.1:1",
        processes=(process("moto", "failed", said), process(NAME, "ready")),
        clusters=(),
        databases=(),
        caches=(),
    )
    with answering(home, status):
        run = freehold(home.root, "sandbox", "status")
    assert (run.returncode, run.stderr) == (1, "")
    _, moto, manager, last = run.stdout.splitlines()
    assert moto.split(maxsplit=1)[0] == "moto"
    assert moto.endswith(f" {said}")
    assert manager.split() == [NAME, "ready", "123456", "12345", "50", "MiB", "3", "1.2", "s"]
    assert last.startswith(f"sandbox is degraded at {home.root}, AWS at ")


def summary(
    environment: str, target: str, live: Sequence[Line], activity: Sequence[Line], events: Sequence[Line] = ()
) -> Summary:
    """Of an environment of which only these lines are told."""
    return Summary(
        environment=environment,
        target=target,
        account="1",
        region="r",
        components={},
        resources=0,
        live=Live(live),
        tenants=(),
        activity=activity,
        events=events,
    )


def test_what_is_not_as_it_should_be_is_marked(capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = Line("cluster", "ACTIVE", "aws eks"), Line("nodes", "0 of 3 [/x]", "kubectl get nodes", ok=False)
    late = Line("operations", "1 waiting", "./freehold fleet status", ok=False)
    event = Line("Stripe event", "parked", "psql", ok=False)
    show(summary("sandbox", "sandbox", [good, bad], [late], [event]))
    lines = capsys.readouterr().out.splitlines()
    marked = [line for line in lines if line.startswith("!")]
    assert marked == ["! nodes: 0 of 3 [/x]", "! operations: 1 waiting", "! Stripe event: parked"]
    assert "  cluster: ACTIVE" in lines


def test_what_is_not_as_it_should_be_is_named_where_it_is_not_marked() -> None:
    nodes = Line("nodes", "0 of 3", "kubectl get nodes", ok=False)
    waiting = Line("operations", "1 waiting", "./freehold fleet status", ok=False)
    shown = summary("prod", "cloud", [Line("cluster", "ACTIVE", "aws eks"), nodes], [waiting])
    start = "environment prod: not everything answered as it should; see the "
    assert shown.failure(as_json=False).line() == f"{start}lines marked with ! above"
    assert shown.failure(as_json=True).line() == f'{start}entries with "ok": false: nodes, operations'
