"""What a run of a stack did, as the operation's row keeps it and the summary counts it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from fleet.events import Violation
from fleet.stack import Result


@dataclass(frozen=True)
class Outcome:
    """A run that succeeded. `changes` is by operation of the engine; `checked` are policies, `analysed` how many
    resources they looked at."""

    command: str
    changes: Mapping[str, int]
    seconds: float
    checked: Sequence[str]
    analysed: int
    violations: Sequence[Violation]

    @classmethod
    def of(cls, result: Result) -> Self:
        progress = result.progress
        return cls(
            result.command,
            dict(progress.changes),
            round(result.seconds, 3),
            sorted(progress.passed | progress.failed),
            len(progress.analysed),
            tuple(progress.violations),
        )

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Self:
        """What `as_json` made."""
        violations = tuple(Violation(**one) for one in kept["violations"])
        fields = ("command", "changes", "seconds", "checked", "analysed")
        return cls(**{name: kept[name] for name in fields}, violations=violations)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)
