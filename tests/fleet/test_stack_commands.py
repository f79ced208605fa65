"""The engine's short commands, by a CLI of the test's: under the lock, within a limit, and none after Ctrl-C."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from errors import FreeholdError, TransientError
from fleet import stack_commands
from fleet.engine import Engine
from fleet.interrupts import Interrupted, Interrupts
from fleet.locks import locked
from fleet.stack import Stack
from fleet.state_files import state_path
from sandbox.home import Home


@dataclass
class Cli:
    """A stack with a state in files; `interrupts` are of the one engine that runs on it."""

    home: Home
    interrupts: Interrupts

    def says(self, script: str) -> None:
        """What `pulumi` does from now on, after it has written its arguments down."""
        cli = self.home.root / "pulumi"
        cli.write_text(f'#!/bin/sh\necho "$*" >> "{self.home.root}/asked"\n{script}\n')
        cli.chmod(0o755)

    @property
    def asked(self) -> list[str]:
        file = self.home.root / "asked"
        return file.read_text().splitlines() if file.exists() else []

    def engine(self) -> Engine:
        environment = {"PULUMI_BACKEND_URL": f"file://{self.home.backend}", "PATH": f"{self.home.root}:/usr/bin:/bin"}
        stack = Stack("freehold", "dev", self.home.root, environment)
        return Engine(self.home, stack, tell=pytest.fail, wait=0, interrupts=self.interrupts)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    made = Cli(Home(tmp_path), Interrupts())
    path = state_path(made.home.backend, "freehold", "dev")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"checkpoint": {"latest": {}}}))
    made.says("exit 0")
    return made


def test_a_stack_is_forgotten_by_whoever_holds_it(cli: Cli) -> None:
    with (
        locked(cli.home.run / "stack-dev.lock", "stack dev", wait=0, tell=print, stop=lambda: None),
        pytest.raises(TransientError, match="held by process"),
    ):
        cli.engine().remove()
    assert cli.asked == []
    cli.engine().remove()
    assert cli.asked == ["--non-interactive stack rm --yes --preserve-config --stack dev"]


def test_one_that_holds_resources_is_told(cli: Cli) -> None:
    cli.says("echo 'error: dev still has resources; removal rejected' >&2; exit 255")
    with pytest.raises(FreeholdError, match=r"^stack dev: pulumi stack failed: dev still has resources"):
        cli.engine().remove()


def test_nothing_is_begun_after_ctrl_c(cli: Cli) -> None:
    cli.interrupts.count = 1
    with pytest.raises(Interrupted, match=r"^stack dev: interrupted"):
        cli.engine().remove()
    assert cli.asked == []


def test_a_backend_that_never_answers_may_pass(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack_commands, "_LIMIT_SECONDS", 0.05)
    cli.says("exec sleep 60")
    with pytest.raises(TransientError, match=r"^stack dev: pulumi stack did not end within 0\.05 s; see whether its"):
        cli.engine().remove()
