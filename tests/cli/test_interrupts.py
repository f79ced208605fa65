"""Ctrl-C, whenever it comes."""

from __future__ import annotations

import sys

from tests.cli.terminal import Terminal

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
