"""A command that asks for something shows what it asked for, whatever else of the tenant waits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from cli import asking, tenant
from cli.app import app
from fleet.operations import Operation, State
from fleet.registry import Status
from tests.cli.test_fleet_up import operation
from tests.fleet.samples import tenant as registered

WAITING, ASKED = operation("acme", State.QUEUED), operation("acme", State.QUEUED)


@contextmanager
def opened(*_: object, **__: object) -> Iterator[SimpleNamespace]:
    row = SimpleNamespace(plan="starter", model_dump=lambda **_: {"id": "acme"})
    yield SimpleNamespace(
        find=lambda tenant: row,
        requests=SimpleNamespace(change_plan=lambda *_: ASKED, suspend=lambda *_: ASKED, resume=lambda *_: ASKED),
        view=SimpleNamespace(latest=lambda tenant: WAITING, get={ASKED.id: ASKED}.get),
    )


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("plan acme pro --yes --no-wait", ASKED),
        ("suspend acme --yes --no-wait", ASKED),
        ("resume acme --yes --no-wait", ASKED),
        ("show acme", WAITING),
    ],
)
def test_the_operation_that_is_shown(command: str, shown: Operation, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (asking, tenant):
        monkeypatch.setattr(module, "open_cell", opened)
    run = CliRunner().invoke(app, ["tenant", *command.split(), "--json"])
    assert run.exit_code == 0, run.output
    assert json.loads(run.stdout)["operation"]["id"] == str(shown.id)


@pytest.mark.parametrize(
    ("progress", "at"),
    [
        (None, "starting"),
        ({"previewing": False, "planned": 0, "done": 0, "current": ""}, "updating"),
        ({"previewing": False, "planned": 0, "done": 4, "current": "creating namespace"}, "creating namespace"),
        ({"previewing": True, "planned": 0, "done": 4, "current": "creating database"}, "previewing"),
        (
            {"previewing": False, "planned": 24, "done": 3, "current": "creating database"},
            "creating database (3 of 24 resources)",
        ),
        ({"previewing": False, "planned": 24, "done": 0, "current": ""}, "updating (0 of 24 resources)"),
    ],
)
def test_what_runs_is_shown_with_the_step_that_it_is_at(
    progress: dict[str, object] | None, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lines(State.RUNNING, progress, monkeypatch)["at"] == at
    assert "at" not in lines(State.QUEUED, progress, monkeypatch)  # that is of the attempt before


def lines(state: State, progress: dict[str, object] | None, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The lines of `tenant show` by their names."""
    held = operation("acme", state).model_copy(update={"progress": progress})
    row = SimpleNamespace(limits={}, status="active", applied_hash=None, model_dump=lambda **_: {"id": "acme"})
    cell = SimpleNamespace(find=lambda tenant: row, view=SimpleNamespace(latest=lambda tenant: held))
    monkeypatch.setattr(tenant, "open_cell", lambda *_, **__: nullcontext(cell))
    run = CliRunner().invoke(app, ["tenant", "show", "acme"])
    assert run.exit_code == 0, run.output
    return {name: value.strip() for name, _, value in (line.partition("  ") for line in run.stdout.splitlines())}


@pytest.mark.parametrize(
    ("status", "applied", "told"),
    [
        (Status.ACTIVE, True, "as wanted"),
        (Status.ACTIVE, False, "no"),
        (Status.DELETING, True, "being deleted"),
        (Status.DELETING, False, "being deleted"),
        (Status.DELETED, False, "no"),
    ],
)
def test_what_is_being_deleted_is_not_as_wanted(status: Status, applied: bool, told: str) -> None:
    row = registered("acme", status=status)
    assert tenant._built(row.model_copy(update={"applied_hash": row.desired_hash if applied else None})) == told
