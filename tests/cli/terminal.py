"""A command on a pseudo-terminal of its own: what it writes, what a person sees of it, what a person types."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from sandbox.home import CHECKOUT

CTRL_C = b"\x03"
_SECONDS = 45.0
# The terminal becomes the one that Ctrl-C comes from, which only a process without one can have done.
# SIG_DFL for tests that were started in the background, where Ctrl-C is ignored and stays so.
_TAKE = """
import fcntl, os, signal, sys, termios
fcntl.ioctl(2, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])
"""
_SEQUENCE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|([\r\n])|([^\x1b\r\n])", re.DOTALL)


class Terminal:
    """`command` on a terminal of so many columns; its standard output goes to `stdout` where that is given.

    Whatever is waited for is waited for 45 s at most, then it is an AssertionError that shows the screen. It is
    ended with the block.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int = 100,
        stdout: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.written = b""
        self._columns = columns
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        output = theirs if stdout is None else os.open(stdout, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        self.process = subprocess.Popen(
            [sys.executable, "-c", _TAKE, *command],
            cwd=CHECKOUT,
            env={**_inherited(), "TERM": "xterm-256color", **(environment or {})},
            stdin=theirs,
            stdout=output,
            stderr=theirs,
            start_new_session=True,
        )
        for descriptor in {theirs, output}:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._ours)

    def type(self, keys: bytes) -> None:
        """As a person does: Ctrl-C is CTRL_C."""
        os.write(self._ours, keys)

    def until(self, text: str) -> None:
        """It has written `text`."""
        self._read(lambda: text.encode() in self.written, f"{text!r} was not written")

    def settle(self, seconds: float) -> None:
        """Take what it writes in that time: whatever would spoil the screen by itself has had the chance to."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._take(left)

    def end(self) -> int:
        """Its exit code, when it has ended."""
        self._read(lambda: self.process.poll() is not None, "it did not end")
        while self._take(0):
            pass
        return self.process.wait()

    @property
    def shown(self) -> list[str]:
        """The lines that a person sees now, those that were scrolled away included; spaces at their ends left out."""
        return _shown(self.written.decode(errors="replace"), self._columns)

    def _read(self, done: Callable[[], bool], otherwise: str) -> None:
        deadline = time.monotonic() + _SECONDS
        while not done():
            assert time.monotonic() < deadline, "\n".join((otherwise, *self.shown))
            if not self._take(0.05) and self.process.poll() is not None:
                assert done(), "\n".join((otherwise, *self.shown))

    def _take(self, seconds: float) -> bool:
        """Whether it has written something within so many seconds."""
        if not select.select([self._ours], [], [], seconds)[0]:
            return False
        try:
            taken = os.read(self._ours, 1 << 16)
        except OSError:  # nobody holds the other end any more
            time.sleep(min(seconds, 0.05))
            return False
        self.written += taken
        return bool(taken)


def _inherited() -> Mapping[str, str]:
    """This process' environment without what changes how a terminal is written to."""
    unwanted = ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS", "LINES")
    return {name: value for name, value in os.environ.items() if name not in unwanted}


def _shown(written: str, columns: int) -> list[str]:
    """`written` as a terminal shows it. Knows what progress bars use: the cursor up and down, lines that are erased."""
    lines, row, column = [""], 0, 0
    for match in _SEQUENCE.finditer(written):
        amounts, kind, control, character = match.groups()
        amount = int(amounts) if amounts and amounts.isdigit() else 1
        if control == "\r":
            column = 0
        elif control == "\n":
            row += 1
        elif kind == "A":
            row = max(0, row - amount)
        elif kind == "B":
            row += amount
        elif kind == "K":
            lines[row] = "" if amount == 2 else lines[row][:column]
        elif character:
            if column == columns:
                row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
            line = lines[row].ljust(column)
            lines[row] = line[:column] + character + line[column + 1 :]
            column += 1
        lines += [""] * (row + 1 - len(lines))
    return [line.rstrip() for line in lines]
