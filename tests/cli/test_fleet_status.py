"""`fleet status` tells how old the oldest work is by when it was asked for, however often it was tried since."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from cli import fleet
from cli.app import app
from errors import FreeholdError
from fleet.operations import State
from fleet.queue_view import Backlog
from tests.cli.test_fleet_up import operation


def in_a_cell(monkeypatch: pytest.MonkeyPatch, view: SimpleNamespace) -> None:
    """Whatever cell is asked for has no tenants, and this view of its queue."""
    registry = SimpleNamespace(list=lambda cell: ())
    environment = SimpleNamespace(cell="prod", options=" --env prod --target cloud")

    @contextmanager
    def opened(*_: object, **__: object) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(environment=environment, view=view, registry=registry)

    monkeypatch.setattr(fleet, "open_cell", opened)


@pytest.mark.parametrize(
    ("backlog", "said"),
    [
        (
            Backlog(2, 1, 1, 0, oldest_seconds=3, oldest_queued_seconds=7200, oldest_running_seconds=300),
            "operations: 2 queued (1 to be tried again, the oldest asked for 120 min 0 s ago), "
            "1 running, the oldest asked for 5 min 0 s ago, 0 given up",
        ),
        (Backlog(0, 0, 0, 0, 0, 0, 0), "operations: 0 queued (0 to be tried again), 0 running, 0 given up"),
    ],
)
def test_the_oldest(backlog: Backlog, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    view = SimpleNamespace(backlog=lambda _: backlog, open=lambda _: (), failing=lambda _: ())
    in_a_cell(monkeypatch, view)
    run = CliRunner().invoke(app, ["fleet", "status"])
    assert said in run.stdout
    assert run.exit_code == 0


def test_what_is_asked_for_anew_while_it_looks_is_given_up_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Backlog(0, 0, 0, 1, 0, 0, 0)
    again = operation("acme", State.QUEUED)
    in_a_cell(monkeypatch, SimpleNamespace(backlog=lambda _: counted, open=lambda _: (again,), failing=lambda _: ()))
    run = CliRunner().invoke(app, ["fleet", "status"])
    assert (run.exit_code, run.exception) == (0, None)


def test_what_was_given_up_is_exit_code_1_also_in_json(monkeypatch: pytest.MonkeyPatch) -> None:
    given_up = operation("acme", State.FAILED).model_copy(
        update={"payload": {"secret": "hunter2"}, "finished_at": datetime.now(UTC)}
    )
    view = SimpleNamespace(
        backlog=lambda _: Backlog(0, 0, 0, 1, 0, 0, 0), open=lambda _: (), failing=lambda _: (given_up,)
    )
    in_a_cell(monkeypatch, view)
    run = CliRunner().invoke(app, ["fleet", "status", "--json"])
    assert isinstance(run.exception, FreeholdError) and run.exception.exit_code == 1
    assert run.exception.mend == "./freehold tenant show acme --env prod --target cloud says why"
    (told,) = json.loads(run.stdout)["failing"]
    assert told["tenant"] == "acme" and "payload" not in told and "hunter2" not in run.output
