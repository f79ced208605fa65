"""A command on a page about real environments says where it acts: without that it acts on the sandbox, and succeeds."""

from __future__ import annotations

import re

import pytest

from sandbox.home import CHECKOUT
from tests.readme.commands import commands_on

DOCS = CHECKOUT / "docs"
REAL = ("alarms", "deploy", "restore", "rotate", "upgrade")
"""Pages about real environments; what is rehearsed there says `--target sandbox`."""
BY_OPTION = re.compile(r"(tenant|fleet|budget) (?=.*--env \S+)(?=.*--target (cloud|sandbox)\b)")
BY_ARGUMENT = re.compile(r"(up|preview|refresh|destroy|status) [^-\s]\S* (?=.*--target (cloud|sandbox)\b)")


def acts(command: str) -> bool:
    """Whether it acts on an environment, or looks at one."""
    return re.match(r"(tenant|fleet|budget|up|preview|refresh|destroy|status)\b", command) is not None


def says_where(command: str) -> bool:
    return bool(BY_OPTION.match(command) or BY_ARGUMENT.match(command))


@pytest.mark.parametrize("page", REAL)
def test_commands_for_real_environments_name_theirs(page: str) -> None:
    commands = [one for one in commands_on(DOCS / f"{page}.md") if acts(one)]
    assert commands
    assert [one for one in commands if not says_where(one)] == []


@pytest.mark.parametrize("command", ["preview", "refresh", "destroy"])
def test_where_a_page_gives_a_command_that_needs_an_environment_it_names_one(command: str) -> None:
    given = [one for one in commands_on(DOCS / "recover.md") if re.match(rf"{command}\b", one)]
    assert [one for one in given if not re.match(rf"{command} [^-\s]", one)] == []


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("tenant suspend acme", False),
        ("tenant suspend acme --env prod", False),
        ("tenant suspend acme --env prod --target cloud", True),
        ("tenant plan acme pro --target cloud --env <env>", True),
        ("fleet up --env prod --target sandbox", True),
        ("up", False),
        ("up --target cloud", False),
        ("status <env> --target cloud", True),
    ],
)
def test_which_commands_say_where_they_act(command: str, told: bool) -> None:
    assert acts(command)
    assert says_where(command) is told
