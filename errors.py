"""The one exception that a person is meant to read."""

from __future__ import annotations

from enum import IntEnum

INTERRUPTED = "freehold: interrupted; run it again: it goes on from there"
"""What every command says after Ctrl-C."""


class ExitCode(IntEnum):
    """Exit codes of every command: 0 it worked, 1 it failed, 2 it was asked wrongly."""

    OK = 0
    FAILED = 1
    USAGE = 2


class FreeholdError(Exception):
    """A failure told in one line: what went wrong, where, and the mend.

    The command prints it without a traceback and exits with `exit_code`.
    """

    def __init__(self, what: str, *, where: str = "", mend: str = "", exit_code: ExitCode = ExitCode.FAILED) -> None:
        self.what = what
        self.where = where
        self.mend = mend
        self.exit_code = exit_code
        super().__init__(self.line())

    def line(self) -> str:
        """What, where and mend on a single line."""
        text = self.what if not self.where else f"{self.where}: {self.what}"
        return text if not self.mend else f"{text}; {self.mend}"


class TransientError(FreeholdError):
    """A failure that may pass: the same, tried again with nothing changed, can go well."""


class UsageError(FreeholdError):
    """The command was asked wrongly (exit code 2)."""

    def __init__(self, what: str, *, where: str = "", mend: str = "") -> None:
        super().__init__(what, where=where, mend=mend, exit_code=ExitCode.USAGE)
