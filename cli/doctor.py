"""`freehold doctor`: each tool with its version and origin, and the mend for what is missing."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Annotated

import typer

from cli.output import show_table
from errors import ExitCode, FreeholdError
from sandbox.home import Home
from sandbox.providers.choice import VARIABLE, Providers, chosen, in_use
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


def provider_report(home: Home, providers: Providers) -> list[Finding]:
    """A finding for each provider plugin of the sandbox; the next start installs an official one that is not there."""
    from sandbox.providers import official
    from sandbox.providers.registry import CLASSES, sdk_version

    findings = []
    for name in CLASSES:
        version = sdk_version(name)
        if providers is Providers.STAND_INS:
            findings.append(Finding(name, State.OK, version, "stand-in", "", ""))
            continue
        try:
            found = official.find(home, name, version, os.environ)
        except FreeholdError as error:
            findings.append(
                Finding(name, State.BROKEN, "", "PATH", error.where, f"{error.where} {error.what}; {error.mend}")
            )
            continue
        if found is None:
            findings.append(Finding(name, State.ON_REQUEST, version, "official", "", ""))
        else:
            origin = "official, on PATH" if found.folder is None else "official"
            findings.append(Finding(name, State.OK, version, origin, str(found.executable), ""))
    return findings


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    install: Annotated[bool, typer.Option("--install", help="Make what is missing first.")] = False,
) -> None:
    """List each tool (version, origin; the mend for what is missing, and exit 1) and what is only recorded."""
    home = Home.from_environment()
    providers = chosen() or in_use(home)
    if install:
        ensure()
    findings, plugins = report(), provider_report(home, providers)
    healthy = all(finding.state in (State.OK, State.ON_REQUEST) for finding in (*findings, *plugins))
    # Only here: importing the stand-ins takes longer than any other command needs to start.
    from sandbox.providers.fidelity import MEANINGS, noted, recorded
    from sandbox.providers.typed import Kind

    kept = recorded() if providers is Providers.STAND_INS else ()
    if as_json:
        tools = [asdict(finding) for finding in findings]
        used = {"kind": providers, "plugins": [asdict(finding) for finding in plugins]}
        names = [entry.token for entry in kept]
        print(json.dumps({"ok": healthy, "tools": tools, "providers": used, "recorded": names}, indent=2))
    else:
        _print("tool", findings)
        print(f"\nProviders of the sandbox: {providers} ({VARIABLE})")
        _print("provider", plugins)
        if kept:
            lines = [noted(entry.token, entry) for entry in kept]
            print(f"\nIn the sandbox (docs/fidelity.md). {MEANINGS[Kind.RECORDED]}", *lines, sep="\n  ")
    if not healthy:
        raise typer.Exit(ExitCode.FAILED)


def _print(what: str, findings: list[Finding]) -> None:
    show_table(
        (what, "version", "origin", "state"), [(one.name, one.version, one.origin, str(one.state)) for one in findings]
    )
    mends: dict[str, list[str]] = {}
    for finding in findings:
        if finding.mend:
            mends.setdefault(finding.mend, []).append(finding.name)
    for mend, names in mends.items():
        print(f"{', '.join(names)}: {mend}")
