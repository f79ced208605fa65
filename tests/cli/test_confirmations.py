"""Nothing of a tenant is changed before a person agrees, at the terminal or by --yes; a script is told to say it."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner, Result

from cli import asking, fleet, opening, tenant
from cli.app import app
from errors import UsageError
from fleet.operations import State
from fleet.registry import Status
from tests.cli.test_fleet_up import operation

COMMANDS = {
    "create acme --plan pro": ("create", "Create acme on plan pro in sandbox?"),
    "plan acme pro": ("change_plan", "Move acme from starter to pro?"),
    "suspend acme": ("suspend", "Suspend acme? "),
    "resume acme": ("resume", "Resume acme on plan starter?"),
    "delete acme --yes-delete-data acme": ("delete", "Delete acme with all its data?"),
}


class Person(io.StringIO):
    """Somebody at the terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def row() -> SimpleNamespace:
    """What the registry says of acme."""
    dumped = {"id": "acme"}
    return SimpleNamespace(
        plan="starter", status=Status.ACTIVE, limits={}, applied_hash=None, model_dump=lambda **_: dumped
    )


@pytest.fixture
def asked(row: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked of the cell; the list is empty until something is."""
    names = list[str]()
    made = operation("acme", State.QUEUED).model_copy(update={"payload": {"secret": "hunter2"}})

    def request(name: str) -> Callable[..., object]:
        def note(*_: object) -> object:
            names.append(name)
            return made

        return note

    @contextmanager
    def opened(*_: object, **__: object) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(
            environment=SimpleNamespace(cell="sandbox", options=""),
            registry=SimpleNamespace(get=lambda _: row),
            find=lambda _: row,
            requests=SimpleNamespace(**{name: request(name) for name, _ in COMMANDS.values()}),
            view=SimpleNamespace(latest=lambda _: made, get=lambda _: made),
        )

    for module in (asking, tenant):
        monkeypatch.setattr(module, "open_cell", opened)
    return names


def run(command: str) -> Result:
    return CliRunner().invoke(app, ["tenant", *command.split(), "--no-wait"])


@pytest.mark.parametrize("command", COMMANDS)
def test_where_nobody_is_there_to_agree_nothing_is_done(command: str, asked: list[str]) -> None:
    refused = run(command).exception
    assert isinstance(refused, UsageError) and refused.exit_code == 2
    assert refused.what.startswith(COMMANDS[command][1])
    assert (refused.mend, asked) == ("pass --yes", [])


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("option", ["--yes", "-y"])
def test_who_says_so_is_not_asked(command: str, option: str, asked: list[str]) -> None:
    done = run(f"{command} {option}")
    assert done.exit_code == 0, done.output
    assert asked == [COMMANDS[command][0]]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1), ("", 1)])
def test_a_person_decides(
    command: str, answer: str, code: int, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with CliRunner().isolation() as (_, err, _):
        monkeypatch.setattr(sys, "stdin", Person(f"{answer}\n"))
        with pytest.raises(SystemExit) as ended:
            app(["tenant", *command.split(), "--no-wait"])
        said = err.getvalue().decode()
    assert said.startswith(COMMANDS[command][1]) and said.endswith("[y/N]: ")
    assert ended.value.code == code
    assert asked == ([COMMANDS[command][0]] if code == 0 else [])


def test_another_s_id_deletes_nothing_whatever_else_is_said(asked: list[str]) -> None:
    refused = run("delete acme --yes-delete-data acme-eu --yes").exception
    assert isinstance(refused, UsageError)
    assert asked == []


@pytest.mark.parametrize(
    ("status", "plan", "agreed"),
    [
        (Status.PENDING, "pro", True),
        (Status.FAILED, "pro", True),
        (Status.FAILED, "starter", False),  # that was agreed to on another plan
        (Status.ACTIVE, "pro", False),
    ],
)
def test_what_was_agreed_to_before_is_not_asked_again(
    status: Status, plan: str, agreed: bool, row: SimpleNamespace, asked: list[str]
) -> None:
    row.status, row.plan = status, plan
    again = run("create acme --plan pro")
    assert (again.exit_code == 0, asked == ["create"]) == (agreed, agreed)


@pytest.mark.parametrize("command", ["show acme", "suspend acme --yes --no-wait"])
def test_what_was_asked_with_is_not_shown(command: str, asked: list[str]) -> None:
    """Payloads are the runner's."""
    shown = CliRunner().invoke(app, ["tenant", *command.split(), "--json"])
    assert "payload" not in json.loads(shown.stdout)["operation"]
    assert "hunter2" not in shown.output


def test_the_tenants_of_a_cell_are_not_updated_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    due = [SimpleNamespace(id=name, due=lambda _: True) for name in ("acme", "globex")]

    @contextmanager
    def opened(*_: object, **__: object) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(
            environment=SimpleNamespace(cell="sandbox"), registry=SimpleNamespace(list=lambda cell: due)
        )

    monkeypatch.setattr(fleet, "open_cell", opened)
    monkeypatch.setattr(opening, "start_runner", lambda _: pytest.fail("begun"))
    refused = CliRunner().invoke(app, ["fleet", "up"]).exception
    assert isinstance(refused, UsageError)
    assert refused.what.startswith("Bring 2 tenants of sandbox up to date?")
