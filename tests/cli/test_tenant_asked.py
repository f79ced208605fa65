"""A command that asks for something shows what it asked for, whatever else of the tenant waits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from cli import asking, tenant
from cli.app import app
from fleet.operations import Operation, State
from tests.cli.test_fleet_up import operation

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
