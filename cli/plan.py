"""What a preview found, for a person and for a script: each resource that would change, and what the policies say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cli.output import console, is_narrow, show_table
from fleet.counting import counted
from fleet.events import Violation, tally
from fleet.plan import Change, counts
from fleet.stack import Result

Json = Any
Row = tuple[str, str, str, str]

_COLUMNS: Row = ("  operation", "resource", "type", "what differs")
_MARK = "! "
"""Before what ends something that is there."""


@dataclass(frozen=True)
class Plan:
    """A preview's outcome."""

    environment: str
    changes: Sequence[Change]
    counts: dict[str, int]
    findings: Sequence[Violation]

    @classmethod
    def of(cls, environment: str, result: Result) -> Plan:
        changes = result.progress.plan.changes
        return cls(environment, changes, counts(changes, result.progress.changes), tuple(result.progress.violations))

    def as_json(self) -> Json:
        return {
            "environment": self.environment,
            "changed": len(self.changes),
            "counts": self.counts,
            "changes": [one.as_json() for one in self.changes],
            "policies": [
                {"policy": one.policy, "level": one.level, "urn": one.urn, "name": one.resource, "message": one.message}
                for one in self.findings
            ],
        }

    def __str__(self) -> str:
        told = tally(self.counts)
        return (
            f"would change {counted(len(self.changes), 'resource')} ({told})"
            if self.changes
            else f"would change nothing ({told})"
        )


def show_plan(plan: Plan, *, each: bool = False, stderr: bool = False) -> None:
    """The tables; nothing where nothing would change and no policy found anything. With `each` what is created is not
    summed up either."""
    if rows := _rows(plan.changes, each=each):
        _show_changes(rows, stderr=stderr)
    if plan.findings:
        found = sorted((one.policy, one.resource or "(the stack)", _found(one.message)) for one in plan.findings)
        between = "\n" if rows else ""
        levels = ", ".join(sorted({one.level for one in plan.findings}))
        console(stderr=stderr).print(f"{between}Policies ({levels}):", style="bold", markup=False)
        show_table(("policy", "resource", "finding"), found, stderr=stderr)
    if plan.changes or plan.findings:
        console(stderr=stderr).print()


def _found(message: str) -> str:
    """In one line, without the policy's description, which the engine puts on a line before each finding."""
    _, _, finding = message.partition("\n")
    return " ".join((finding or message).split())


def _rows(changes: Sequence[Change], *, each: bool) -> list[Row]:
    summed = Counter(None if each else one.made_with for one in changes)
    rows = [_row(one) for one in changes if each or one.made_with is None]
    return rows + [
        ("  create", str(component), "", counted(count, "resource"))
        for component, count in summed.items()
        if component is not None
    ]


def _row(change: Change) -> Row:
    differs = (f"{path} (forces it)" if path in change.replaces_by else path for path in change.properties)
    mark = _MARK if change.ends else " " * len(_MARK)
    return f"{mark}{change.operation}", change.name, change.kind, ", ".join(differs)


def _show_changes(rows: Sequence[Row], *, stderr: bool) -> None:
    """As a table; where a terminal has no room for it, each resource's name in a line with the rest folded below it."""
    if not is_narrow(_COLUMNS, rows, stderr=stderr):
        show_table(_COLUMNS, rows, red=_marked(rows), stderr=stderr)
        return
    lines = []
    for operation, name, kind, differs in rows:
        lines.append((operation, name))
        if rest := "  ".join(filter(None, (kind, differs))):
            lines.append(("", rest))
    show_table(("", ""), lines, red=_marked(lines), stderr=stderr)


def _marked(rows: Sequence[Sequence[str]]) -> list[int]:
    return [number for number, row in enumerate(rows) if row[0].startswith(_MARK)]
