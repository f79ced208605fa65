"""The engine's events while it runs: what it does, what it complains of, what the policies say."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fleet.plan import UNCHANGED, Plan
from fleet.urns import urn_name

Json = Any

_COMPARED = 256


class EventLog:
    """Reads what `--event-log` has appended to a file (an open descriptor) since the last look.

    The engine empties the file when its preview is over and its update begins. Both may begin alike, in the same
    second; so what is compared each time is the end of what was read before.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._offset = 0
        self._end = b""

    def read(self) -> Iterator[Mapping[str, Json]]:
        """The events that are complete and were not returned before."""
        content = self._from(self._offset - len(self._end))
        if content.startswith(self._end):
            content = content[len(self._end) :]
        else:
            self._offset, self._end = 0, b""
            content = self._from(0)
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        self._end = (self._end + whole)[-_COMPARED:]
        for line in whole.splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                # Read in the moment in which it was emptied. What matters of a run is its exit code and its state.
                continue
            yield event

    def _from(self, start: int) -> bytes:
        return os.pread(self._descriptor, max(0, os.fstat(self._descriptor).st_size - start), start)


@dataclass(frozen=True)
class Violation:
    """A policy that a resource (or the stack as a whole) breaks."""

    policy: str
    level: str
    urn: str
    message: str

    @property
    def mandatory(self) -> bool:
        return self.level == "mandatory"

    @property
    def resource(self) -> str:
        return urn_name(self.urn)


@dataclass
class Progress:
    """One run of the engine as its events have told it so far."""

    begun: bool = False
    """Whether the engine got to its work. By then it has the lock of the stack; but a preview takes none."""
    previewing: bool = True
    changing: bool = False
    """Whether the update itself has begun to create, change or delete something."""
    planned: int = 0
    """Resources in the plan, those that stay the same included; 0 until the preview has ended."""
    done: int = 0
    current: str = ""
    """What the engine works on: `creating database`."""
    changes: dict[str, int] = field(default_factory=dict)
    """Of the last phase that ended, by operation (`create`, `same`, ...)."""
    plan: Plan = field(default_factory=Plan)
    """Of the phase that began last, resource by resource."""
    errors: list[tuple[str, str]] = field(default_factory=list)
    """Each error: the name of the resource it is about (may be empty) and its text."""
    violations: list[Violation] = field(default_factory=list)
    passed: set[str] = field(default_factory=set)
    """Policies that at least one resource or the stack was checked against without a violation."""
    failed: set[str] = field(default_factory=set)
    analysed: set[str] = field(default_factory=set)
    """URNs that a policy pack looked at."""

    @property
    def changed(self) -> int:
        """How many resources the last phase created, updated, replaced or deleted (or would)."""
        return sum(count for operation, count in self.changes.items() if operation not in UNCHANGED)

    def take(self, event: Mapping[str, Json]) -> None:
        """Count one event in."""
        if "preludeEvent" in event:
            self.begun, self.done, self.current = True, 0, ""
            self.plan = Plan()
            # Policies see all of it again, and what the preview could not tell the update can.
            self.violations, self.passed, self.failed, self.analysed = [], set(), set(), set()
        elif "resourcePreEvent" in event:
            step = event["resourcePreEvent"]["metadata"]
            self.plan.take(step)
            if not event["resourcePreEvent"].get("planning"):
                # Also where the end of the preview was not seen: the engine may have emptied its log by then.
                self.previewing = False
                self.changing = self.changing or step["op"] not in UNCHANGED
            if step["op"] != "same":
                self.current = f"{_doing(step['op'])} {urn_name(step['urn'])}"
        elif "resOutputsEvent" in event:
            self.done += 1
        elif "summaryEvent" in event:
            summary = event["summaryEvent"]
            self.changes = {op: int(count) for op, count in (summary.get("resourceChanges") or {}).items()}
            if summary["isPreview"]:
                self.planned, self.previewing = sum(self.changes.values()), False
        elif "diagnosticEvent" in event:
            self._diagnostic(event["diagnosticEvent"])
        elif "errorEvent" in event:
            self.errors.append(("", str(event["errorEvent"]["error"]).strip()))
        else:
            self._policy(event)

    def _diagnostic(self, diagnostic: Mapping[str, Json]) -> None:
        if diagnostic["severity"] == "error" and not diagnostic.get("ephemeral"):
            found = (urn_name(diagnostic.get("urn", "")), str(diagnostic["message"]).strip())
            if found not in self.errors:
                self.errors.append(found)

    def _policy(self, event: Mapping[str, Json]) -> None:
        if "policyEvent" in event:
            said = event["policyEvent"]
            violation = Violation(
                str(said["policyName"]),
                str(said["enforcementLevel"]),
                str(said.get("resourceUrn", "")),
                str(said["message"]).strip(),
            )
            if violation not in self.violations:
                self.violations.append(violation)
        for kind in ("policyAnalyzeSummaryEvent", "policyAnalyzeStackSummaryEvent"):
            if kind in event:
                summary = event[kind]
                self.passed.update(summary.get("passed") or ())
                self.failed.update(summary.get("failed") or ())
                if urn := summary.get("resourceUrn"):
                    self.analysed.add(urn)


def tally(changes: Mapping[str, int]) -> str:
    """`3 create, 1 update, 12 same`; `nothing` where there is none."""
    ordered = Counter(changes).most_common()
    return ", ".join(f"{count} {operation}" for operation, count in ordered) or "nothing"


def _doing(operation: str) -> str:
    verb = operation.split("-")[0]
    return {
        "create": "creating",
        "update": "updating",
        "delete": "deleting",
        "replace": "replacing",
        "read": "reading",
        "refresh": "refreshing",
        "import": "importing",
    }.get(verb, verb)
