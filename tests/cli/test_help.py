"""`--help` everywhere, at once, and the exit codes of what is asked wrongly."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
import typer
from typer.testing import CliRunner

from cli.app import app
from sandbox.home import CHECKOUT

HEAVY = ("pulumi", "boto3", "botocore", "sqlalchemy", "kubernetes", "psycopg", "grpc", "redis", "alembic")


def commands() -> Iterator[tuple[str, ...]]:
    def below(group: object, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        yield path
        for name, command in sorted(getattr(group, "commands", {}).items()):
            yield from below(command, (*path, name))

    return below(typer.main.get_command(app), ())


def test_the_commands_are_those_of_the_design() -> None:
    assert {" ".join(path) for path in commands()} == {
        "", "up", "preview", "refresh", "destroy", "status", "doctor", "env", "test",
        "sandbox", "sandbox start", "sandbox stop", "sandbox status", "sandbox env", "sandbox reset", "sandbox caught",
        "budget", "budget simulate", "budget show",
        "tenant", "tenant create", "tenant list", "tenant show", "tenant plan", "tenant suspend", "tenant resume",
        "tenant delete",
        "fleet", "fleet up", "fleet status",
    }  # fmt: skip


@pytest.mark.parametrize("path", list(commands()), ids=lambda path: " ".join(path) or "freehold")
def test_help_of_every_command(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*path, "--help"])
    assert result.exit_code == 0
    assert "Usage: " in result.output
    assert "[[" not in result.output


def test_each_row_of_the_help_says_what_the_command_is_for() -> None:
    def below(group: object) -> Iterator[tuple[str, str]]:
        for name, command in getattr(group, "commands", {}).items():
            yield name, command.help
            yield from below(command)

    odd = {name: text for name, text in below(typer.main.get_command(app)) if not text[0].isupper()}
    assert odd == {}


def test_help_imports_nothing_heavy() -> None:
    program = "import sys; sys.argv = ['freehold', '--help']; import cli.app; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert "typer" in loaded
    assert not loaded.intersection(HEAVY)
