"""Recorded types: checked like the others, kept in the sandbox's store, with nothing behind them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sandbox.providers.aws.context import Context
from sandbox.providers.aws.observation import found_inputs
from sandbox.providers.interface import Found, ProviderError


def create(context: Context) -> dict[str, Any]:
    """Keeps a new resource. Raises ProviderError where this id is there already."""
    context.id = str(context.fill(context.entry.id_form))
    state = _state(context, {"createdAt": _now(), "associatedAt": _now()})
    if not context.recorded.add(context.entry.token, context.id, context.resource.urn, context.inputs, state):
        raise ProviderError(f"{context.id} exists already; import it, or choose another name")
    return state


def read(context: Context) -> Found | None:
    """What is kept; it cannot drift but by another program's hand."""
    record = context.recorded.get(context.entry.token, context.id)
    if record is None:
        return None
    inputs = found_inputs(context, context.inputs, record.outputs) if context.inputs else dict(record.inputs)
    return Found(context.id, inputs, record.outputs)


def update(context: Context) -> dict[str, Any]:
    record = context.recorded.get(context.entry.token, context.id)
    if record is None:
        raise ProviderError(f"{context.id} is gone; run `pulumi refresh`")
    kept = {name: record.outputs[name] for name in ("createdAt", "associatedAt") if name in record.outputs}
    state = _state(context, kept)
    context.recorded.put(context.entry.token, context.id, context.resource.urn, context.inputs, state)
    if context.entry.after_update:
        context.entry.after_update(context, frozenset(context.inputs))
    return state


def delete(context: Context) -> None:
    context.recorded.delete(context.entry.token, context.id)


def _state(context: Context, times: Mapping[str, str]) -> dict[str, Any]:
    known = context.sdk.outputs(context.entry.token)
    made: dict[str, Any] = {**times, "modifiedAt": _now()}
    if "tagsAll" in known:
        made["tags"] = made["tagsAll"] = context.inputs.get("tags", {})
    made.update({name: context.fill(template) for name, template in context.entry.computed_outputs.items()})
    return {**{n: v for n, v in made.items() if n in known}, **context.inputs}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
