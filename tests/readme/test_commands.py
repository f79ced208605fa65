"""Every command that a page or a message gives is one that the program has, with options that it takes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli.app import app
from sandbox.home import CHECKOUT
from tests.readme.commands import README, commands_on

PAGES = (README, *sorted((CHECKOUT / "docs").rglob("*.md")))
SPOKEN = ("catalog", "cli", "components", "fleet", "policies", "sandbox", "services", "stacks")
"""Folders whose code speaks to people."""
ALTERNATIVES = re.compile(r"(\w+)(?:\|\w+)+")
"""`plan|suspend|resume`: as the first of them."""


def refusal(command: str) -> str:
    """What the program says against a command as a page has it; empty where it would begin."""
    words = shlex.split(ALTERNATIVES.sub(r"\1", re.sub(r"<[^>]*>", "ID", command)).rstrip(')"'), comments=True)
    # Asked for its help, it reads the options before it, and begins nothing.
    run = CliRunner().invoke(app, [*words, "--help"])
    return "" if run.exit_code == 0 else f"{command}: {run.output}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_of_a_page_are_taken(page: Path) -> None:
    assert [said for command in sorted(set(commands_on(page))) if (said := refusal(command))] == []


@pytest.mark.parametrize(
    ("command", "taken"),
    [
        ("tenant create <id> --plan <plan> --yes   # a comment", True),
        ('sandbox env)"', True),
        ("tenant plan|suspend|resume ... --env <env> --target cloud", True),
        ("tenant rename acme", False),
        ("destroy prod --forget", False),
    ],
)
def test_what_is_taken(command: str, taken: bool) -> None:
    assert (refusal(command) == "") is taken


def known() -> Iterator[str]:
    """`up`, `tenant`, `tenant create`, ..."""

    def below(command: object, path: str) -> Iterator[str]:
        for name, one in getattr(command, "commands", {}).items():
            yield f"{path}{name}"
            yield from below(one, f"{path}{name} ")

    return below(typer.main.get_command(app), "")


def test_the_commands_of_messages_exist() -> None:
    """In the code, whose names may stand in braces: its words up to the first such; `run ./freehold again` is none."""
    commands, groups = set(known()), {name.split()[0] for name in known() if " " in name}
    given = re.compile(r"\./freehold (?!again\b)([a-z]+)(?: ([a-z]+))?")
    found = {
        f"{first} {second}".strip() if first in groups else first
        for folder in SPOKEN
        for path in (CHECKOUT / folder).rglob("*.py")
        for first, second in given.findall(path.read_text())
    }
    assert {"up", "tenant show", "sandbox start"} <= found
    assert sorted(found - commands) == []
