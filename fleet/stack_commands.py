"""The engine's short commands on one stack: each takes about half a second and has no events."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from errors import TransientError
from fleet.events import Progress
from fleet.failures import explain
from fleet.interrupts import Interrupts
from fleet.stack import Stack

Json = Any

_LIMIT_SECONDS = 120


@dataclass(frozen=True)
class StackCommands:
    """Each raises FreeholdError where it fails, and what `stop` raises before it begins, unless it is done `anyway`."""

    stack: Stack
    log: Path
    """Where the engine's last operation on the stack is told of."""
    interrupts: Interrupts
    stop: Callable[[], None]

    def make(self, secrets_provider: str | None) -> None:
        """The stack, without resources; its key from the passphrase where `secrets_provider` names no other."""
        flags = ("--secrets-provider", secrets_provider) if secrets_provider else ()
        self._run("stack", "init", self.stack.name, "--no-select", *flags)

    def forget(self, *, anyway: bool = False) -> None:
        """The stack, its state and its history, but not its configuration. Refused where it holds resources."""
        self._run("stack", "rm", "--yes", "--preserve-config", "--stack", self.stack.name, anyway=anyway)

    def cancel(self, *, anyway: bool = False) -> None:
        """Takes away all locks that there are."""
        self._run("cancel", "--yes", "--stack", self.stack.name, anyway=anyway)

    def export(self) -> dict[str, Json]:
        return dict(json.loads(self._run("stack", "export", "--stack", self.stack.name)))

    def replace(self, state: Mapping[str, Json]) -> None:
        """Put `state`, as `export` gives it, in the place of what there is."""
        self._run("stack", "import", "--stack", self.stack.name, given=json.dumps(state))

    def _run(self, *command: str, given: str = "", anyway: bool = False) -> str:
        """Its stdout."""
        if not anyway:
            self.stop()
        try:
            with self.interrupts.at_work():
                run = subprocess.run(
                    ["pulumi", "--non-interactive", *command],
                    cwd=self.stack.workdir,
                    env=dict(self.stack.environment),
                    input=given,
                    capture_output=True,
                    text=True,
                    start_new_session=True,
                    timeout=_LIMIT_SECONDS,
                )
        except subprocess.TimeoutExpired:
            what = f"pulumi {command[0]} did not end within {_LIMIT_SECONDS} s"
            raise TransientError(
                what, where=f"stack {self.stack.name}", mend="see whether its backend answers"
            ) from None
        if run.returncode != 0:
            raise explain(self.stack.name, command[0], Progress(), run.stderr + run.stdout, self.log)
        return run.stdout
