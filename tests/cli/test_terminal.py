"""What a person at a terminal sees: bars while something is done, lines that stay."""

from __future__ import annotations

import sys

import pytest

from tests.cli.terminal import Terminal


def program(text: str) -> list[str]:
    """A command that has a `screen` and runs `text`, by lines."""
    begin = "import json, sys, time\nfrom cli.output import Screen, show_json\nfrom cli.options import confirm\n"
    body = "\n".join(f"    {line}" for line in text.strip().splitlines())
    return [sys.executable, "-c", f"{begin}with Screen() as screen:\n{body}\n"]


STEP = """
with screen.step("platform [/x]") as step:
    time.sleep(0.3)
    step.show(3, 10, "creating [/a] b{c}")
    time.sleep(0.3)
    screen.tell("a line meanwhile")
    step.result = "done [/x]"
"""


@pytest.mark.parametrize("columns", [100, 60])
def test_a_step_has_a_bar_and_then_its_line(columns: int) -> None:
    with Terminal(program(STEP), columns=columns) as terminal:
        terminal.until("3/10")
        assert terminal.end() == 0, terminal.shown
        assert "Traceback" not in "\n".join(terminal.shown)
        text = "".join(line for line in terminal.shown)
        assert text.startswith("freehold: a line meanwhilefreehold: platform [/x]: done [/x] (0.")
        assert text.endswith(" s)")
