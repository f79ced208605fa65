"""What a person at a terminal sees: bars while something is done, lines that stay, questions that can be read."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from tests.cli.terminal import CTRL_C, Terminal


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
    print("what another says", file=sys.stderr)
    step.result = "done [/x]"
"""


@pytest.mark.parametrize("columns", [100, 60])
def test_a_step_has_a_bar_and_then_its_line(columns: int) -> None:
    with Terminal(program(STEP), columns=columns) as terminal:
        terminal.until("3/10")
        assert terminal.end() == 0, terminal.shown
        assert "Traceback" not in "\n".join(terminal.shown)
        text = "".join(line for line in terminal.shown)
        assert text.startswith("freehold: a line meanwhilewhat another saysfreehold: platform [/x]: done [/x] (0.")
        assert text.endswith(" s)")


@pytest.mark.parametrize(("columns", "bar"), [(100, 24), (60, 8)])
def test_a_narrow_terminal_cuts_what_is_being_done(columns: int, bar: int) -> None:
    long = """
with screen.step("platform sandbox") as step:
    step.show(13, 240, "creating chronos-cloud-sandbox-network-private-us-east-1a-and-a-lot-more-than-one-line-holds")
    screen.tell("there")
    time.sleep(60)
"""
    with Terminal(program(long), columns=columns) as terminal:
        terminal.until("there")
        terminal.settle(0.5)
        (line,) = terminal.shown[1:]
        assert len(line) == columns - 2
        assert re.fullmatch(rf". platform sandbox .{{{bar}}} 13/240 0:00:0\d creating chron\S*…", line), line


def test_nothing_of_a_bar_is_left_by_ctrl_c() -> None:
    long = """
with screen.step("platform") as step:
    try:
        step.show(1, 2, "x" * 200)
        time.sleep(60)
    except KeyboardInterrupt:
        screen.tell("stopping")
        time.sleep(0.3)
"""
    with Terminal(program(long)) as terminal:
        terminal.until("1/2")
        terminal.type(CTRL_C)
        assert terminal.end() == 0, terminal.shown
        assert [line.partition(" (")[0] for line in terminal.shown if line] == [
            "freehold: stopping",
            "freehold: platform",
        ]


def test_a_bar_that_was_full_goes_on() -> None:
    preview_and_update = """
with screen.step("platform") as step:
    step.show(10, 10, "previewing")
    time.sleep(0.3)
    step.show(1, 10, "creating")
    screen.tell("updating")
    time.sleep(60)
"""
    with Terminal(program(preview_and_update)) as terminal:
        terminal.until("updating")
        terminal.settle(2)
        line = terminal.shown[-1]
        assert re.fullmatch(r"\S platform \S+ +1/10 0:00:0[1-9] creating", line), line


def test_steps_side_by_side_and_one_after_another_leave_their_lines_alone() -> None:
    many = """
with screen.step("one"), screen.step("two"):
    time.sleep(0.3)
with screen.step("three"):
    time.sleep(0.3)
print("what it found")
with screen.step("four"):
    time.sleep(0.3)
"""
    with Terminal(program(many)) as terminal:
        assert terminal.end() == 0, terminal.shown
        shown = [line.rpartition(" (")[0] or line for line in terminal.shown if line]
        assert shown == ["freehold: two", "freehold: one", "freehold: three", "what it found", "freehold: four"]


@pytest.mark.parametrize("term", ["dumb", "xterm"])
@pytest.mark.parametrize("no_color", ["", "1"])
def test_a_terminal_that_can_show_less_is_given_less(term: str, no_color: str) -> None:
    with Terminal(program(STEP), environment={"TERM": term, "NO_COLOR": no_color}) as terminal:
        assert terminal.end() == 0, terminal.shown
        shown = [line for line in terminal.shown if line]
        assert [line.partition(" (")[0] for line in shown] == [
            "freehold: a line meanwhile",
            "what another says",
            "freehold: platform [/x]: done [/x]",
        ]
        if term == "dumb":
            assert b"\x1b" not in terminal.written
            assert shown == terminal.shown[: len(shown)], "no empty lines between them"
        if no_color:
            assert b"\x1b[3" not in terminal.written
            assert b"\x1b[9" not in terminal.written


def test_what_a_script_reads_goes_to_standard_output(tmp_path: Path) -> None:
    asked = """
with screen.step("looking"):
    time.sleep(0.3)
    show_json({"within": "a step"})
show_json({"after": "it"})
"""
    with Terminal(program(asked), stdout=tmp_path / "out") as terminal:
        assert terminal.end() == 0, terminal.shown
    within, after = (tmp_path / "out").read_text().split("}\n{")
    assert json.loads(f"{within}}}") == {"within": "a step"}
    assert json.loads(f"{{{after}") == {"after": "it"}


@pytest.mark.parametrize(("answer", "code"), [(b"y\n", 0), (b"what\nyes\n", 0), (b"n\n", 1), (b"\n", 1), (b"\x04", 1)])
def test_a_question_stays_until_it_is_answered_and_is_no_result(tmp_path: Path, answer: bytes, code: int) -> None:
    asked = """
with screen.step("looking"):
    time.sleep(0.3)
confirm("Suspend acme?", yes=False)
show_json({"suspended": True})
"""
    with Terminal(program(asked), stdout=tmp_path / "out") as terminal:
        terminal.until("Suspend acme? [y/N]: ")
        terminal.settle(0.5)
        assert terminal.shown[-1] == "Suspend acme? [y/N]:"
        terminal.type(answer)
        assert terminal.end() == code, terminal.shown
    assert (tmp_path / "out").read_text() == ('{\n  "suspended": true\n}\n' if code == 0 else "")
