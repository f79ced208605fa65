"""Options that are declared once for several commands: each command takes them, as one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from cli.options import spread


@dataclass(frozen=True)
class Visit:
    day: Annotated[str, typer.Option("--on", help="A day of the week.")] = "Monday"
    alone: Annotated[bool, typer.Option("--alone", "-a")] = False


def invoke(*arguments: str) -> str:
    app = typer.Typer()

    @app.command()
    @spread
    def visit(
        whom: Annotated[str, typer.Argument(metavar="WHOM")],
        visit: Visit,
        loud: Annotated[bool, typer.Option("--loud")] = False,
    ) -> None:
        """Visit somebody."""
        print(whom, visit, loud)

    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize(
    ("arguments", "visit", "loud"),
    [
        ((), Visit(), False),
        (("--on", "Friday"), Visit("Friday"), False),
        (("-a", "--loud"), Visit(alone=True), True),
    ],
)
def test_the_options_reach_the_command_as_one_value(arguments: tuple[str, ...], visit: Visit, loud: bool) -> None:
    assert invoke("Ann", *arguments) == f"Ann {visit} {loud}\n"


def test_they_stand_in_its_help_where_the_value_stood() -> None:
    shown = invoke("--help")
    assert "Visit somebody." in shown
    assert "A day of the week." in shown
    places = [shown.index(option) for option in ("WHOM", "--on", "--alone", "--loud")]
    assert places == sorted(places)
