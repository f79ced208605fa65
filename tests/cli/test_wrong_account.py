"""With credentials of an account that the state does not know, no command goes on. Account and region are told.

What is no matter of credentials is not told as one."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import pytest
from botocore.exceptions import BotoCoreError, EndpointConnectionError, NoCredentialsError, ReadTimeoutError

import cli.opening
import cli.prerequisites
import fleet.cloud
import fleet.control_database
from cli.app import main
from cli.output import Screen
from errors import FreeholdError, UsageError
from fleet import environments
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


@pytest.fixture
def prod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    monkeypatch.setattr(environments, "CHECKOUT", tmp_path)
    (tmp_path / "Pulumi.prod.yaml").write_text("config: {freehold:region: us-esat-1}\n")
    return Environment("prod", Target.CLOUD, Home(tmp_path / "home"), {})


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("{freehold:regoin: us-east-1}", "freehold:region is missing"),
        ("{freehold:region: }", "freehold:region is missing"),
        ("{freehold:region: US East}", "freehold:region: 'US East' is no region"),
        ("{freehold:region: [us-east-1]}", "freehold:region: ['us-east-1'] is no region"),
    ],
)
def test_a_region_that_is_none_is_told_before_anybody_is_asked(
    prod: Environment, tmp_path: Path, config: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Pulumi.prod.yaml").write_text(f"config: {config}\n")
    monkeypatch.setattr(fleet.cloud, "client", lambda *_: pytest.fail("asked"))
    with Screen() as screen, pytest.raises(UsageError) as refused:
        cli.opening.check_account(prod, None, screen)
    assert refused.value.line() == f"Pulumi.prod.yaml: {expected}; name one, such as us-east-1"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (EndpointConnectionError(endpoint_url="https://sts"), "AWS does not answer: Could not connect to the endpoint"),
        (ReadTimeoutError(endpoint_url="https://sts"), "AWS does not answer: Read timeout on endpoint"),
        (NoCredentialsError(), "no usable credentials: Unable to locate credentials"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_no_way_to_the_cloud_is_not_told_as_missing_credentials(
    prod: Environment, error: BotoCoreError, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> NoReturn:
        raise error

    monkeypatch.setattr(fleet.cloud, "client", lambda *_: SimpleNamespace(get_caller_identity=fail))
    with Screen() as screen, pytest.raises(FreeholdError) as told:
        cli.opening.check_account(prod, None, screen)
    assert told.value.line().startswith(f"environment prod: {expected}")
    assert ("AWS_PROFILE" in told.value.mend) == isinstance(error, NoCredentialsError)
    assert ("us-esat-1 is right (freehold:region)" in told.value.mend) != isinstance(error, NoCredentialsError)
