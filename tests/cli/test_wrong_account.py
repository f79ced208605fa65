"""With credentials of an account that the state does not know, no command goes on. Account and region are told."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import pytest

import cli.opening
import cli.prerequisites
import fleet.cloud
import fleet.control_database
from cli.app import main
from fleet.environments import Environment
from fleet.state import StackState
from fleet.targets import Target
from sandbox.home import Home
from tests.cli.test_environments import STATE

COMMANDS = (
    ("up", "prod", "--yes"),
    ("preview", "prod"),
    ("refresh", "prod"),
    ("destroy", "prod", "--yes"),
    ("status", "prod"),
    ("tenant", "list", "--env", "prod"),
    ("fleet", "up", "--env", "prod", "--yes"),
    ("budget", "simulate", "--env", "prod", "--spend", "96%"),
)


class WentOn(Exception):
    """The command came to its next step."""


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SimpleNamespace:
    """Whose credentials they are; prod was built in 111111111111."""
    chosen = SimpleNamespace(id="")

    def go_on(*arguments: object, **more: object) -> NoReturn:
        raise WentOn

    def identity() -> dict[str, str]:
        return {"Account": chosen.id, "Arn": f"arn:aws:iam::{chosen.id}:user/me"}

    def state(environment: Environment) -> StackState:
        return STATE

    environment = Environment("prod", Target.CLOUD, Home(tmp_path / "home"), {})
    monkeypatch.setattr(cli.opening, "open_environment", lambda *arguments, start: environment)
    monkeypatch.setattr(cli.opening, "platform_program", lambda *arguments: contextlib.nullcontext())
    monkeypatch.setattr(cli.opening, "platform_state", state)
    monkeypatch.setattr(Environment, "contract", lambda environment, state: SimpleNamespace(account="111111111111"))
    monkeypatch.setattr(cli.prerequisites, "require", lambda environment: None)
    monkeypatch.setattr(Environment, "inside_network", True)
    monkeypatch.setattr(fleet.cloud, "client", lambda *arguments: SimpleNamespace(get_caller_identity=identity))
    for module, name in (
        (cli.opening, "build_archive"),
        (cli.opening, "engine_maker"),
        (fleet.control_database, "control_database"),
        (fleet.control_database, "control_database_to_read"),
    ):
        monkeypatch.setattr(module, name, go_on)
    return chosen


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_another_account_is_refused(
    account: SimpleNamespace,
    command: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    account.id = "222222222222"
    monkeypatch.setattr(sys, "argv", ["freehold", *command, "--target", "cloud"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    told, refused = capsys.readouterr().err.splitlines()
    assert told == "freehold: account 222222222222, region us-east-1, as arn:aws:iam::222222222222:user/me"
    assert refused.startswith(
        "freehold: environment prod: the credentials are of account 222222222222, which the state does not know "
    )


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_account_that_it_was_built_in_is_told_and_let_on(
    account: SimpleNamespace,
    command: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    account.id = "111111111111"
    monkeypatch.setattr(sys, "argv", ["freehold", *command, "--target", "cloud"])
    with pytest.raises(WentOn):
        main()
    assert capsys.readouterr().err.splitlines()[0].startswith("freehold: account 111111111111, region us-east-1, as ")
