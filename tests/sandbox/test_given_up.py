"""A process that was given up keeps from starting what needs it, and nothing else."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from errors import FreeholdError
from sandbox.home import Home
from sandbox.processes.runner import KIND
from sandbox.supervisor import launch
from sandbox.supervisor.client import Supervisor
from sandbox.supervisor.messages import ProcessStatus, Status


def process(kind: str, state: str) -> ProcessStatus:
    said: dict[str, Any] = {"message": "port 1 of 127.0.0.1 is taken"} if state == "failed" else {}
    return ProcessStatus(
        name=f"{kind}-one", kind=kind, instance=None, state=cast(Any, state), pid=None, port=None, restarts=0,
        started_seconds=None, memory_bytes=None, log=Path("logs/one.log"), **said,
    )  # fmt: skip


def sandbox(*processes: ProcessStatus) -> Supervisor:
    status = Status(
        home=Path("home"), supervisor_pid=1, state="degraded", aws_endpoint=None, processes=processes, clusters=(),
        databases=(), caches=(),
    )  # fmt: skip
    return cast(Supervisor, SimpleNamespace(home=Home(Path("home")), status=lambda: status))


def test_a_runner_that_was_given_up_keeps_nobody_from_what_replaces_it() -> None:
    """`up` has a runner started of its own; before, it was refused for the one that had been given up."""
    degraded = sandbox(process("moto", "ready"), process(KIND, "failed"))
    launch._wait_until_ready(degraded, None, (KIND,))
    with pytest.raises(FreeholdError) as refused:
        launch._wait_until_ready(degraded, None, ())
    assert refused.value.line() == (
        "runner-one: port 1 of 127.0.0.1 is taken; see logs/one.log; ./freehold sandbox stop, then start again"
    )


def test_another_process_that_was_given_up_is_told() -> None:
    with pytest.raises(FreeholdError, match=r"^moto-one: "):
        launch._wait_until_ready(sandbox(process("moto", "failed"), process(KIND, "failed")), None, (KIND,))


def test_what_starts_yet_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "_READY_SECONDS", 0.0)
    with pytest.raises(FreeholdError, match=r"^sandbox: not ready within 0 s: moto-one \(starting\)"):
        launch._wait_until_ready(sandbox(process("moto", "starting"), process(KIND, "failed")), None, (KIND,))
