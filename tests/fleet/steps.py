"""A preview's events, as the engine's log has them."""

from __future__ import annotations

from typing import Any

from fleet.events import Progress

STACK = "pulumi:pulumi:Stack"
NETWORK = "freehold:aws:Network"
FLOW_LOGS = "freehold:aws:FlowLogs"
_NAMES = {STACK: "s", NETWORK: "network", FLOW_LOGS: "logs", "": ""}


def urn(kind: str, name: str) -> str:
    return f"urn:pulumi:sandbox::freehold::{kind}::{name}"


def step(operation: str, parent: str, kind: str, name: str, **told: Any) -> dict[str, Any]:
    """One step on a resource in the component (or the stack) of the type `parent`."""
    above = urn(parent, _NAMES[parent]) if parent else ""
    there = {"parent": above, "custom": not kind.startswith(("freehold:", "pulumi:pulumi:"))}
    metadata = {"op": operation, "urn": urn(kind, name), "type": kind, "new": there, "detailedDiff": None, **told}
    return {"resourcePreEvent": {"metadata": metadata, "planning": True}}


def planned(*steps: dict[str, Any]) -> Progress:
    progress = Progress()
    for event in ({"preludeEvent": {}}, *steps):
        progress.take(event)
    return progress
