"""`up` and `status` of a real environment from outside its network: they end well, and say what comes next."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from cli import opening, platform, summary
from cli.app import app
from cli.live import Line, Live
from errors import FreeholdError, TransientError, UsageError
from fleet import control_database, environments
from fleet.environments import Environment
from fleet.events import Progress
from fleet.stack import Result, Stack
from fleet.state import StackState
from fleet.targets import Target
from sandbox.home import Home
from stacks.contract import OUTPUT
from tests.fleet.contracts import contract

NEXT = "Set it to true and run this again from inside the network"


class BuiltAtOnce:
    """An engine whose update is done."""

    def __init__(self, state: StackState) -> None:
        self._state = state

    def preview(self) -> Result:
        progress = Progress()
        vpc = {"urn": "urn:pulumi:prod::freehold::aws:ec2/vpc:Vpc::network-vpc", "type": "aws:ec2/vpc:Vpc"}
        progress.take({"resourcePreEvent": {"metadata": {**vpc, "op": "replace", "keys": ["cidrBlock"]}}})
        return Result("prod", "preview", progress, 0.0, self._state)

    def up(self) -> Result:
        return Result("prod", "up", Progress(), 0.0, self._state)


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Production with a built platform. What was opened of the private network: the list is empty until then."""
    (tmp_path / "Pulumi.yaml").write_text("name: freehold\n")
    (tmp_path / "Pulumi.prod.yaml").write_text(
        "config: {freehold:region: us-east-1, freehold:control: {machineType: m}, freehold:insideNetwork: false}\n"
    )
    exported = contract().model_dump(mode="json") | {"cell": "prod", "admits_tenants": False}
    root = {"urn": "urn:pulumi:prod::freehold::pulumi:pulumi:Stack::s", "type": "pulumi:pulumi:Stack"}
    state = StackState(({**root, "outputs": {OUTPUT: exported}},))
    environment = Environment("prod", Target.CLOUD, Home(tmp_path / "home"), {})
    opened: list[str] = []

    @contextmanager
    def no_program(*_: object) -> Iterator[None]:
        yield None

    def engine(_: Stack, *__: object) -> BuiltAtOnce:
        return BuiltAtOnce(state)

    def look(*_: object, inside: bool = True) -> Live:
        opened.extend(["cluster"] if inside else [])
        return Live()

    def open_database(*_: object) -> None:
        opened.append("database")
        raise AssertionError("nobody reaches it from here")

    monkeypatch.setattr(environments, "CHECKOUT", tmp_path)
    monkeypatch.setattr(opening, "open_environment", lambda *_, **__: environment)
    monkeypatch.setattr(opening, "platform_program", no_program)
    monkeypatch.setattr(opening, "platform_state", lambda _: state)
    monkeypatch.setattr(opening, "check_account", lambda *_: None)
    monkeypatch.setattr(opening, "engine_maker", lambda *_: engine)
    monkeypatch.setattr(summary, "look", look)
    monkeypatch.setattr(control_database, "control_database", open_database)
    return opened


@pytest.mark.parametrize("command", [("up", "--yes"), ("status",)], ids=" ".join)
def test_it_ends_well_and_says_what_comes_next(command: tuple[str, ...], opened: list[str]) -> None:
    name, *options = command
    run = CliRunner().invoke(app, [name, "prod", "--target", "cloud", *options])
    assert (run.exit_code, opened) == (0, [])
    assert NEXT in run.stdout
    assert "$ ./freehold up prod --target cloud" in run.stdout
    assert "in the registry" not in run.stdout


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1)])
def test_a_person_sees_the_plan_before_the_question(
    answer: str, code: int, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Person(io.StringIO):
        def isatty(self) -> bool:
            return True

    with CliRunner().isolation() as (out, err, _):
        monkeypatch.setattr(sys, "stdin", Person(f"{answer}\n"))
        with pytest.raises(SystemExit) as ended:
            app(["up", "prod", "--target", "cloud"])
        said, written = err.getvalue().decode(), out.getvalue().decode()
    assert ended.value.code == code
    plan, question, *_ = said.partition("Build prod in this account?")
    assert question
    assert re.search(r"^! replace +network-vpc +aws:ec2:Vpc +cidrBlock \(forces it\)$", plan, re.MULTILINE)
    assert "network-vpc" not in written
    assert (NEXT in written) == (answer == "y")
    assert opened == []


def test_where_nobody_is_asked_there_is_no_plan_either(opened: list[str]) -> None:
    run = CliRunner().invoke(app, ["up", "prod", "--target", "cloud", "--yes"])
    assert "network-vpc" not in run.output
    run = CliRunner().invoke(app, ["up", "prod", "--target", "cloud"])
    assert str(run.exception).startswith("Build prod in this account? Nobody is there to agree")
    assert "network-vpc" not in run.output


def test_who_says_yes_at_a_terminal_is_shown_no_plan(opened: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with CliRunner().isolation() as (_, err, _):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
        with pytest.raises(SystemExit) as ended:
            app(["up", "prod", "--target", "cloud", "--yes"])
        assert ended.value.code == 0 and b"network-vpc" not in err.getvalue()


@pytest.mark.parametrize(
    ("name", "told"),
    [("no-such", "there is no blueprint 'no-such'; choose one of "), ("other", "prod is configured for chronos-cloud")],
)
def test_another_blueprint_than_the_environment_s_builds_nothing(
    name: str, told: str, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("catalog.blueprints.names", lambda: ("chronos-cloud", "other"))
    monkeypatch.setattr(opening, "engine_maker", lambda *_: pytest.fail("begun"))
    run = CliRunner().invoke(app, ["up", "prod", "--target", "cloud", "--yes", "--blueprint", name])
    assert isinstance(run.exception, UsageError) and str(run.exception).startswith(told)


def test_in_json_too(opened: list[str]) -> None:
    run = CliRunner().invoke(app, ["status", "prod", "--target", "cloud", "--json"])
    told = json.loads(run.stdout)
    assert (told["ok"], told["tenants"]) == (True, None)
    assert NEXT in told["activity"][0]["value"]
    assert opened == []


@pytest.mark.parametrize("command", [("up", "--yes"), ("status",)], ids=" ".join)
def test_in_json_what_is_wrong_is_named(
    command: tuple[str, ...], opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = Line("topic", "nobody hears of alerts", "aws sns", ok=False)
    monkeypatch.setattr(summary, "look", lambda *_, **__: Live([bad]))
    name, *options = command
    run = CliRunner().invoke(app, [name, "prod", "--target", "cloud", *options, "--json"])
    assert json.loads(run.stdout)["ok"] is False
    assert isinstance(run.exception, FreeholdError)
    assert run.exception.mend == 'see the entries with "ok": false: topic'


@pytest.mark.parametrize("command", ["up", "destroy"])
def test_a_control_database_that_is_lost_amid_it_is_one_line(
    command: str, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by the failover that an `up` has brought about."""

    def lost(*_: object) -> NoReturn:
        raise sa.exc.OperationalError("SELECT 1", {}, Exception("terminating connection\nby command"))

    monkeypatch.setattr(summary, "collect", lost)
    monkeypatch.setattr(platform, "require_no_tenants", lost)
    run = CliRunner().invoke(app, [command, "prod", "--target", "cloud", "--yes"])
    assert isinstance(run.exception, TransientError), run.exception
    assert run.exception.line().startswith(
        "control database of prod: the connection was lost: terminating connection; "
    )
