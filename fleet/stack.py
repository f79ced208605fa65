"""What the engine is run on, and what a run came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fleet.events import Progress
from fleet.state import StackState


@dataclass(frozen=True)
class Stack:
    """A stack and all that the engine needs to run it: `workdir` holds Pulumi.yaml and Pulumi.<name>.yaml."""

    project: str
    name: str
    workdir: Path
    environment: Mapping[str, str] = field(repr=False)
    """The whole environment of the engine."""
    journaled: bool = True
    """Whether a provider host journals what is created (the sandbox's stand-ins); without one a person resolves pending
    creates."""
    message: str = ""
    """Kept with each update in the stack's history."""


@dataclass(frozen=True)
class Result:
    """A run that succeeded."""

    stack: str
    command: str
    progress: Progress
    seconds: float
    state: StackState | None
    """None after a preview of a stack that does not exist yet."""

    @property
    def changed(self) -> int:
        return self.progress.changed
