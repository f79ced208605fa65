"""What the README promises to scripts: exit codes, what stands on standard output, which commands print JSON."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from cli.app import app
from errors import ExitCode
from sandbox.home import Home
from sandbox.supervisor.messages import Status
from tests.cli.fake_supervisor import answering
from tests.cli.forked_command import ForkedCommand, forked_command
from tests.readme.commands import README

ARGUMENTS = {
    "preview": ("sandbox",),
    "tenant create": ("acme", "--plan", "starter"),
    "tenant show": ("acme",),
    "tenant plan": ("acme", "pro"),
    "tenant suspend": ("acme",),
    "tenant resume": ("acme",),
    "budget simulate": ("--spend", "96%"),
}
"""What a command has to be given."""
NO_HOME = Path("/dev/null/home")


def section() -> str:
    return README.read_text().partition("\n## For scripts\n")[2].partition("\n## ")[0]


def promised() -> list[str]:
    """The commands that take --json, as the README has them."""
    sentence = re.search(r"These take `--json`: ([^.]*)\.", section())
    return re.findall(r"`([^`]+)`", sentence[1]) if sentence else []


def built() -> Iterator[str]:
    def below(command: object, path: tuple[str, ...]) -> Iterator[str]:
        if any("--json" in one.opts for one in getattr(command, "params", ())):
            yield " ".join(path)
        for name, one in getattr(command, "commands", {}).items():
            yield from below(one, (*path, name))

    return below(typer.main.get_command(app), ())


@pytest.fixture(scope="module")
def command() -> Iterator[ForkedCommand]:
    with forked_command() as made:
        yield made


def run(command: ForkedCommand, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PULUMI_"))}
    return command.run(*arguments, environment={**inherited, "FREEHOLD_HOME": str(home)})


def test_the_commands_that_print_json() -> None:
    assert sorted(promised()) == sorted(built())


def test_the_exit_codes() -> None:
    assert [int(code) for code in re.findall(r"^\| (\d) \|", section(), flags=re.MULTILINE)] == list(ExitCode)


@pytest.mark.parametrize("name", promised())
def test_an_error_is_one_line_beside_an_empty_output(command: ForkedCommand, name: str) -> None:
    ended = run(command, NO_HOME, *name.split(), *ARGUMENTS.get(name, ()), "--json")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert re.fullmatch(r"freehold: .*\n", ended.stderr)


def test_what_worked_is_one_document(command: ForkedCommand, tmp_path: Path) -> None:
    ended = run(command, tmp_path / "home", "sandbox", "caught", "--json")
    assert (ended.returncode, json.loads(ended.stdout), ended.stderr) == (0, [], "")


def test_what_is_not_as_it_should_be_is_one_document_too(command: ForkedCommand, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    status = Status(
        home=home.root, supervisor_pid=1, state="degraded", aws_endpoint="http://127.0.0.1:1",
        processes=(), clusters=(), databases=(), caches=(),
    )  # fmt: skip
    with answering(home, status):
        ended = run(command, home.root, "sandbox", "status", "--json")
    assert (ended.returncode, json.loads(ended.stdout)["state"]) == (1, "degraded")


@pytest.mark.parametrize("line", ["tenant show a.b --json", "up prod --json", "sandbox reset"])
def test_what_is_asked_wrongly_ends_with_2(command: ForkedCommand, tmp_path: Path, line: str) -> None:
    home = tmp_path / "home"
    (home / "run").mkdir(parents=True)  # something that `reset` would ask about
    ended = run(command, home, *line.split())
    assert ended.returncode == 2
    assert re.fullmatch(r"freehold: .*\n", ended.stderr)
