"""`freehold status` from a schedule is the alarm, by its exit code: what was given up, or is open too long."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

import cli.opening
import cli.summary
import fleet.control_database
from cli.app import main
from cli.live import Live
from fleet import registry
from fleet.environments import Environment
from fleet.operations import OPERATIONS, Kind
from fleet.queue import Queue
from fleet.state import StackState
from fleet.targets import Target
from sandbox.home import Home
from tests.fleet.samples import CELL, add_tenants, ask

pytestmark = pytest.mark.sandbox

Status = Callable[[], tuple[int, Sequence[str]]]


@pytest.fixture
def status(
    database: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Status:
    """Runs the command on a platform that is as it should be; returns its exit code and the lines that it marks."""
    environment = Environment(CELL, Target.SANDBOX, Home(tmp_path / "home"), {})
    contract = SimpleNamespace(account="1", region="us-east-1")
    monkeypatch.setattr(cli.opening, "open_environment", lambda *arguments, start: environment)
    monkeypatch.setattr(cli.opening, "platform_state", lambda environment: StackState())
    monkeypatch.setattr(Environment, "contract", lambda environment, state: contract)
    monkeypatch.setattr(cli.summary, "look", lambda contract, engine, *, inside: Live())
    monkeypatch.setattr(fleet.control_database, "control_database_to_read", lambda contract, engine: database)
    monkeypatch.setattr(sys, "argv", ["freehold", "status"])

    def run() -> tuple[int, Sequence[str]]:
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code or 0
        assert isinstance(code, int)
        return code, [line for line in capsys.readouterr().out.splitlines() if line.startswith("!")]

    return run


def test_what_waits_since_a_moment_is_no_alarm(database: sa.Engine, status: Status) -> None:
    add_tenants(database, "acme")
    ask(database, "acme")
    assert status() == (0, [])


def test_what_is_open_for_more_than_half_an_hour_is_one(database: sa.Engine, status: Status) -> None:
    add_tenants(database, "acme")
    ask(database, "acme")
    asked = OPERATIONS.c.created_at - sa.func.make_interval(0, 0, 0, 0, 0, 31)
    with database.begin() as connection:
        connection.execute(sa.update(OPERATIONS).values(created_at=asked))
    code, marked = status()
    assert code == 1
    (line,) = marked
    assert line.startswith("! operations: 1 waiting (the oldest asked for ")


def test_what_was_given_up_is_one(database: sa.Engine, status: Status) -> None:
    add_tenants(database, "acme")
    ask(database, "acme", Kind.SUSPEND)
    queue = Queue(database)
    claim = queue.claim(CELL, "one", 60)
    assert claim is not None
    queue.fail(claim, "no such zone", lambda connection: registry.failed(connection, "acme", "no such zone"))
    assert status() == (1, ["! suspend of acme: given up after 1 attempts: no such zone"])
