"""`freehold doctor`: each tool with its version and origin, and the mend for what is missing."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from errors import ExitCode
from sandbox.toolchain import ensure
from sandbox.toolchain.find import Found, find, version
from sandbox.toolchain.install import MEND
from sandbox.toolchain.tools import TOOLS, Tool, WheelBinary


class State(StrEnum):
    """What is to be said of a tool."""

    OK = "ok"
    MISSING = "missing"
    BROKEN = "broken"
    """It is there and does not run."""
    ON_REQUEST = "on request"
    """Not there, and made only when something asks for it."""


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    name: str
    state: State
    version: str
    origin: str
    path: str
    mend: str


def examine(tool: Tool, found: Found | None) -> Finding:
    """What is to be said of `tool`, which was found as `found`; runs it to ask its version."""
    if found is None:
        if tool.on_request:
            return Finding(tool.name, State.ON_REQUEST, "", "", "", "")
        mend = "remove .venv and run ./freehold again" if isinstance(tool.source, WheelBinary) else MEND
        return Finding(tool.name, State.MISSING, "", "", "", mend)
    says = version(found)
    if not says:
        mend = f"see what `{found.path} {' '.join(tool.probe)}` says; remove {found.path.parent} and {MEND}"
        return Finding(tool.name, State.BROKEN, "", found.origin, str(found.path), mend)
    return Finding(tool.name, State.OK, says, found.origin, str(found.path), "")


def report() -> list[Finding]:
    """A finding for every tool, in the table's order."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda tool: examine(tool, find(tool.name)), TOOLS.values()))


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    install: Annotated[bool, typer.Option("--install", help="Make what is missing first.")] = False,
) -> None:
    """List each tool (version, origin; the mend for what is missing, and exit 1) and what is only recorded."""
    if install:
        ensure()
    findings = report()
    healthy = all(finding.state in (State.OK, State.ON_REQUEST) for finding in findings)
    # Only here: importing the stand-ins takes longer than any other command needs to start.
    from sandbox.providers.fidelity import MEANINGS, noted, recorded
    from sandbox.providers.typed import Kind

    kept = recorded()
    if as_json:
        tools = [asdict(finding) for finding in findings]
        print(json.dumps({"ok": healthy, "tools": tools, "recorded": [entry.token for entry in kept]}, indent=2))
    else:
        _print(findings)
        if kept:
            lines = [noted(entry.token, entry) for entry in kept]
            print(f"\nIn the sandbox (docs/fidelity.md). {MEANINGS[Kind.RECORDED]}", *lines, sep="\n  ")
    if not healthy:
        raise typer.Exit(ExitCode.FAILED)


def _print(findings: list[Finding]) -> None:
    console = Console()
    table = Table(box=None, pad_edge=False)
    for column in ("tool", "version", "origin", "state"):
        table.add_column(column, no_wrap=True)
    for finding in findings:
        table.add_row(finding.name, finding.version, finding.origin, finding.state)
    console.print(table)
    mends: dict[str, list[str]] = {}
    for finding in findings:
        if finding.mend:
            mends.setdefault(finding.mend, []).append(finding.name)
    for mend, names in mends.items():
        # Not by the console, which would wrap the line.
        print(f"{', '.join(names)}: {mend}", file=sys.stdout)
