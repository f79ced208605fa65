"""A process that was given up keeps from starting what needs it, and nothing else."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cli import opening
from cli.output import Screen
from errors import FreeholdError
from sandbox.home import Home
from sandbox.processes.runner import KIND, runner_name
from sandbox.processes.site import Site
from sandbox.supervisor import launch
from sandbox.supervisor.client import Supervisor
from sandbox.supervisor.definitions import DefinitionStore, RunnerDefinition
from sandbox.supervisor.messages import ProcessStatus, Status
from sandbox.supervisor.ports import Ports
from sandbox.supervisor.runners import Runners
from sandbox.supervisor.spec import ProcessSpec
from sandbox.supervisor.table import ProcessTable


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


def test_a_command_goes_on_without_the_runner_that_was_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    degraded = sandbox(process("moto", "ready"), process(KIND, "failed"))
    monkeypatch.setattr(Supervisor, "connect", lambda home: degraded)
    monkeypatch.setattr(launch, "require_unchanged", lambda *_: None)
    with Screen() as screen:
        opening._start(Home(tmp_path), screen)
    assert "sandbox: ready" in capsys.readouterr().err


class Table(ProcessTable):
    """Runs nothing; a process whose port is taken is given up."""

    def __init__(self, home: Home) -> None:
        super().__init__(home)
        self.ports: dict[str, int | None] = {}

    async def start(self, specs: Iterable[ProcessSpec]) -> None:
        for spec in specs:
            assert spec.prepare is not None
            spec.prepare()
            self.ports[spec.name] = spec.port


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Of a sandbox that had the runners of two cells."""
    home = Home(tmp_path)
    home.run.mkdir()
    for cell in ("one", "two"):
        DefinitionStore(home, "runners", RunnerDefinition).put(RunnerDefinition(name=cell, version="1", complete=True))
    return home


@pytest.fixture
def taken(home: Home) -> Iterator[int]:
    """The port that the first of them had, on which another program listens by now."""
    port = Ports(home.run / "ports.json", {}).assign(runner_name("one"))
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        yield port


def test_a_runner_that_is_resumed_leaves_a_port_that_is_taken(home: Home, taken: int) -> None:
    """Nobody remembers where it was: another port does as well."""
    table, ports = Table(home), Ports(home.run / "ports.json", {})
    asyncio.run(Runners(Site(home, ports), table).resume())
    assert table.ports == {name: ports.get(name) for name in (runner_name("one"), runner_name("two"))}
    assert table.ports[runner_name("one")] != taken


def test_a_runner_that_is_given_up_keeps_no_other_cell_from_its_own(
    home: Home, taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Table(home)
    monkeypatch.setattr(Ports, "leave_taken", lambda ports, name: None)  # so that the first is refused
    with pytest.raises(FreeholdError, match=f"runner-one: port {taken} of 127.0.0.1 is taken"):
        asyncio.run(Runners(Site(home, Ports(home.run / "ports.json", {})), table).resume())
    assert list(table.ports) == [runner_name("two")]
