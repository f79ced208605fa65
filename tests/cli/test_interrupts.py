"""Ctrl-C, whenever it comes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import pytest

from cli.cell import Cell
from cli.output import Screen
from errors import FreeholdError
from fleet.operations import State
from fleet.queue_view import QueueView
from sandbox.home import Home
from tests.cli.fake_supervisor import answering
from tests.cli.terminal import CTRL_C, Terminal
from tests.cli.test_fleet_up import Cell as Fleet
from tests.cli.test_fleet_up import operation, up

WHILE_A_LINE_IS_PRINTED = """
import os, signal, sys
from cli.output import Screen
from fleet.interrupts import Interrupts

class Pressed:
    def __init__(self, stream):
        self.stream = stream
    def __getattr__(self, name):
        return getattr(self.stream, name)
    def write(self, text):
        if "printed" in text:
            os.kill(os.getpid(), signal.SIGINT)
        return self.stream.write(text)

sys.stderr = Pressed(sys.stderr)
interrupts = Interrupts()
with Screen() as screen, interrupts.caught(screen.tell):
    screen.tell("a line is printed")
    interrupts.announce()
print(interrupts.count)
"""


def test_while_a_line_is_being_printed() -> None:
    with Terminal([sys.executable, "-c", WHILE_A_LINE_IS_PRINTED]) as terminal:
        assert terminal.end() == 0, terminal.shown
        assert [line for line in terminal.shown if line] == [
            "freehold: a line is printed",
            "freehold: stopping: the engine finishes what it is doing (Ctrl-C again ends it at once)",
            "1",
        ]


def test_in_a_command_that_waits_for_an_answer(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    command = [sys.executable, "-m", "cli", "sandbox", "status"]
    with answering(home, None) as asked, Terminal(command, environment={"FREEHOLD_HOME": str(home.root)}) as terminal:
        assert asked.wait(45)
        terminal.type(CTRL_C)
        assert terminal.end() == 1, terminal.shown
        assert [line.removeprefix("^C") for line in terminal.shown if line] == [
            "freehold: interrupted; run it again: it goes on from there"
        ]


def pressed(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def test_while_an_operation_is_followed_it_is_said_that_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QueueView, "get", pressed)
    environment = SimpleNamespace(options=" --env prod --target cloud")
    with Screen() as screen, pytest.raises(FreeholdError) as raised:
        cell = Cell(environment, *(SimpleNamespace(),) * 2, screen)  # type: ignore[arg-type]
        cell.follow(operation("acme", State.QUEUED), "deleting tenant acme")
    assert raised.value.exit_code == 1
    assert raised.value.line() == (
        "tenant acme: no longer followed; what was asked for goes on; "
        "./freehold tenant show acme --env prod --target cloud says how far it is"
    )


def test_while_a_fleet_is_followed_it_is_said_that_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fleet, "all", pressed)
    run = up(Fleet("acme", "beta"), monkeypatch)
    assert isinstance(run.exception, FreeholdError) and run.exception.exit_code == 1
    assert run.exception.line() == (
        "cell prod: no longer followed; what was asked for goes on; "
        "./freehold fleet status --env prod --target cloud says how far they are"
    )
    assert run.stdout == ""


def test_while_the_command_is_imported() -> None:
    """Pressed as soon as the command's modules are asked for."""
    program = """
import runpy, sys
class Pressed:
    def find_spec(self, name, *_):
        if name == "cli.app":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Pressed())
runpy.run_module("cli", run_name="__main__")
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (1, "freehold: interrupted; run it again: it goes on from there\n")
