"""`python -m fleet.runner`: how it opens its cell, opens it anew, and ends."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import sqlalchemy as sa
import structlog

from errors import FreeholdError, TransientError
from fleet.backoff import Backoff
from fleet.runner import __main__ as program
from fleet.runner.__main__ import Process
from fleet.runner.health import SILENT_SECONDS, Health
from fleet.runner.loop import Pace
from fleet.targets import Target
from sandbox.home import Home
from services.health import NotReady
from tests.fleet.clock import Clock
from tests.fleet.samples import CELL


class Opened:
    """What stands in for the cell: its engine says how it was asked for, and whether it was closed."""

    def __init__(self) -> None:
        self.connections: list[int] = []
        self.disposed = 0
        self.holders: list[str] = []
        self.running: Callable[[], None] = lambda: None
        """What a runner of it does."""

    def database(self, contract: object, environment: object, *, connections: int) -> Any:
        self.connections.append(connections)
        return SimpleNamespace(dispose=self._dispose)

    def _dispose(self) -> None:
        self.disposed += 1

    def runner(self, queue: object, work: object, *, holder: str, **_: object) -> Any:
        self.holders.append(holder)
        return SimpleNamespace(run=self.running, stop=lambda: None)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Opened:
    one = Opened()
    stack = SimpleNamespace(project="p", name=CELL, environment={}, workdir=Path("."))
    environment = SimpleNamespace(stack=stack, engine={}, config=lambda name: None, contract=lambda state: None)
    monkeypatch.setattr(program, "sandboxed", lambda cell, home: environment)
    monkeypatch.setattr(program, "end_orphans", lambda home, tell: None)
    monkeypatch.setattr(program, "read_state", lambda *_: None)
    monkeypatch.setattr(program, "runner_database", one.database)
    monkeypatch.setattr(program, "Runner", one.runner)
    monkeypatch.setattr(program, "_OPEN_PAUSE_SECONDS", 0.0)
    return one


@pytest.fixture
def process(tmp_path: Path, health: Health) -> Process:
    return Process(Home(tmp_path), CELL, Target.SANDBOX, Pace(concurrency=3), tmp_path / "alive", health)


def stop(process: Process) -> None:
    process.stop(signal.SIGTERM, None)


TROUBLES: list[Exception] = [
    TransientError("cannot connect", where="control database of sandbox"),
    FreeholdError("it has not been built", where="environment sandbox"),
    sa.exc.OperationalError("SELECT", {}, Exception("the database system is shutting down")),
    sa.exc.InternalError("UPDATE", {}, Exception("cannot execute UPDATE in a read-only transaction")),
    sa.exc.ProgrammingError("UPDATE", {}, Exception("permission denied for table operations")),
]


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: type(trouble).__name__)
def test_a_cell_that_does_not_answer_is_opened_anew(
    opened: Opened, process: Process, health: Health, trouble: Exception
) -> None:
    troubles = [trouble]

    def running() -> None:
        if troubles:
            raise troubles.pop()
        stop(process)

    opened.running = running
    with structlog.testing.capture_logs() as lines:
        process.run()
    told = [line["error"] for line in lines if line["event"] == "cell-does-not-answer"]
    assert told == [str(trouble).splitlines()[0]]
    assert (len(opened.holders), len(set(opened.holders)), opened.disposed) == (2, 2, 2)
    with pytest.raises(NotReady, match="the cell is not open"):
        health.check()


def test_a_defect_ends_it_and_leaves_nothing_open(opened: Opened, process: Process) -> None:
    def running() -> None:
        raise LookupError("a defect")

    opened.running = running
    with pytest.raises(LookupError):
        process.run()
    assert opened.disposed == 1


def test_there_are_connections_for_all_that_goes_on_at_once(opened: Opened, process: Process) -> None:
    """A write and a renewal of each operation, a claim, and somebody who asks for the queue's state."""
    opened.running = lambda: stop(process)
    process.run()
    assert opened.connections == [2 * 3 + 2]


def test_told_to_stop_while_it_opens_it_claims_nothing(
    opened: Opened, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    opened.running = lambda: ran.append("ran")
    monkeypatch.setattr(program, "read_state", lambda *_: stop(process))
    process.run()
    assert (ran, opened.disposed) == ([], 1)


def test_while_the_cell_does_not_answer_it_lives(
    opened: Opened, process: Process, health: Health, clock: Clock, tmp_path: Path
) -> None:
    beats: list[float] = []
    alive = tmp_path / "alive"

    def running() -> None:
        beats.append(alive.stat().st_mtime_ns)
        alive.unlink()
        clock.now += SILENT_SECONDS
        if len(beats) == 3:
            stop(process)
        raise TransientError("cannot connect")

    opened.running = running
    process.run()
    assert len(beats) == 3
    with pytest.raises(NotReady, match="the cell is not open"):  # and not that it is silent
        health.check()


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[tuple[Any, ...]]]:
    """What `main` makes of its options; nothing runs."""
    made: list[tuple[Any, ...]] = []

    class Made:
        def __init__(self, *arguments: Any) -> None:
            made.append(arguments)

        def stop(self, number: int, frame: object) -> None:
            made.append(("stop", number))

        def run(self) -> None:
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setenv("FREEHOLD_HOME", str(tmp_path))
    monkeypatch.setattr(program, "Process", Made)
    monkeypatch.setattr(program, "configure", lambda service: None)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield made
    for number, handler in before.items():
        signal.signal(number, handler)


def test_its_options_are_its_pace(
    started: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    paces: dict[str, Any] = {
        "concurrency": 1,
        "lease": 2.0,
        "heartbeat": 3.0,
        "poll": 4.0,
        "drain": 5.0,
        "grace": 6.0,
        "longest": 7.0,
    }
    options = [part for name, value in paces.items() for part in (f"--{name}", str(value))]
    alive = tmp_path / "deep" / "alive"
    monkeypatch.setattr(sys, "argv", ["x", "--cell", "dev", *options, "--failures", "8", "--alive", str(alive)])
    assert program.main() == 0
    (home, cell, target, pace, where, _), *stops = started
    assert (cast(Home, home).root, cell, target, where) == (tmp_path, "dev", Target.CLOUD, alive)
    assert pace == Pace(**paces, backoff=Backoff(limit=8))
    assert alive.parent.is_dir()
    assert stops == [("stop", signal.SIGTERM), ("stop", signal.SIGINT)]


def test_a_port_that_is_taken_is_one_line(
    started: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        monkeypatch.setattr(sys, "argv", ["x", "--cell", "dev", "--port", port])
        assert program.main() == 1
    assert capsys.readouterr().err == (
        f"runner, 127.0.0.1:{port}: it cannot listen there: Address already in use; choose another --port\n"
    )
    assert len(started) == 1  # nothing ran
