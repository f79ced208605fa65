"""Executes the tables: create, read, update and delete of any live type by its entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jmespath

from errors import FreeholdError
from sandbox.providers.aws import tagging
from sandbox.providers.aws.api import ApiError
from sandbox.providers.aws.context import Context
from sandbox.providers.aws.observation import merged, settled, wire_values
from sandbox.providers.aws.requests import parameters
from sandbox.providers.aws.table import Modify
from sandbox.providers.failures import unforeseen
from sandbox.providers.interface import PartialFailure, ProviderError


def create(context: Context) -> dict[str, Any]:
    """Makes the resource, sets `context.id`, and returns its outputs."""
    entry = context.entry
    if entry.probe:
        context.id = _own_id(context)
        if read(context) is not None:
            raise _exists(context)
        context.id, context.answer = "", {}
    if entry.create_hook:
        context.id = entry.create_hook(context)
    else:
        request = {**context.fill(entry.create.fixed), **tagging.create_parameters(context)}
        parameters(context, entry.create, context.inputs, into=request)
        try:
            context.answer = context.call(entry.create.operation, **request)
        except ApiError as error:
            if "Exist" in error.code or "Duplicate" in error.code or "AlreadyOwned" in error.code:
                raise _exists(context, str(error)) from error
            raise
        found = jmespath.search(entry.id_answer, context.answer) if entry.id_answer else _own_id(context)
        if not isinstance(found, str) or not found:
            raise ProviderError(f"{entry.create.operation} answered without an id")
        context.id = found
    failures: list[str] = []
    unset: set[str] = set()
    for modify in entry.modifies:
        names = {n for n in modify.fields if n in context.inputs and context.inputs[n] is not None}
        if modify.on_create and names:
            _modify(context, modify, frozenset(names), failures, unset)
    if entry.tags and not (entry.tags.in_create or entry.tags.specification):
        _attempt(
            context, failures, unset, {"tags"}, lambda: tagging.apply(context, {}, context.inputs.get("tags") or {})
        )
    if entry.after_create:
        hook = entry.after_create
        _attempt(context, failures, unset, set(entry.hooked), lambda: hook(context))
    return _finish(context, failures, unset)


def _own_id(context: Context) -> str:
    """The id that the properties decide."""
    entry = context.entry
    return entry.id_of(context) if entry.id_of else str(context.fill(entry.id_form))


def _exists(context: Context, detail: str = "") -> ProviderError:
    what = f"{context.id or _own_name(context)} exists already"
    return ProviderError(f"{what}{f' ({detail})' if detail else ''}; import it, or choose another name")


def _own_name(context: Context) -> str:
    name = context.entry.autoname.property if context.entry.autoname else "name"
    return str(context.inputs.get(name) or context.resource.name)


def read(context: Context) -> dict[str, Any] | None:
    """What AWS says of the resource, by wire name; None where it is gone."""
    entry = context.entry
    if entry.read_hook:
        found = entry.read_hook(context)
        if found is None:
            return None
    else:
        found = {}
        for index, description in enumerate(entry.reads):
            try:
                answer = context.call(description.operation, **context.fill(description.fixed))
            except ApiError as error:
                if index == 0 and error.code in entry.missing:
                    return None
                if error.code in description.absent:
                    continue
                raise
            record = jmespath.search(description.select.replace("{id}", context.id), answer)
            if index == 0:
                if not record:
                    return None
                context.answer = record
            found.update(wire_values(context, description.fields, record))
    kept, context.outputs = context.outputs, {**context.outputs, **found}  # templates see what was just found
    try:
        for name, template in entry.computed_outputs.items():
            found.setdefault(name, context.fill(template))
        context.outputs = {**context.outputs, **found}
        if entry.tags and "tags" not in found:
            found["tags"] = found["tagsAll"] = tagging.observed(context, context.answer)
        if entry.observe:
            entry.observe(context, found)
        if entry.import_form or entry.id_of:  # an import gave another form of the id
            context.id = _own_id(context)
    finally:
        context.outputs = kept
    return found


def outputs(context: Context, found: Mapping[str, Any]) -> dict[str, Any]:
    """The resource's outputs: what was observed over what the program gave (texts and sets that mean the same stay)."""
    known = context.sdk.outputs(context.entry.token)
    state = {n: v for n, v in {**context.outputs, **context.inputs}.items() if n in known and v is not None}
    return {
        **state,
        **{n: settled(context, n, context.inputs.get(n), v) for n, v in found.items() if n in known and v is not None},
    }


def _finish(context: Context, failures: list[str], unset: set[str]) -> dict[str, Any]:
    """The outputs after a change; a step that failed leaves its properties out, so that the next update repeats it."""
    try:
        found = read(context)
    except Exception as error:
        found = {}
        failures.append(_told(context, error))
    if found is None:
        found = {}
        failures.append(f"{context.id} vanished while it was being made")
    context.outputs = {}
    state = outputs(context, found)
    if failures:
        for name in unset - set(found):
            state.pop(name, None)
        raise PartialFailure(context.id, context.inputs, state, failures)
    return state


def _attempt(
    context: Context, failures: list[str], unset: set[str], names: set[str], action: Callable[[], object]
) -> None:
    """A step after the create: whatever fails in it, what was made is kept in the state."""
    try:
        action()
    except Exception as error:
        failures.append(_told(context, error))
        unset |= names


def _told(context: Context, error: Exception) -> str:
    """What a person reads of a step that failed."""
    foreseen = isinstance(error, ProviderError | FreeholdError)
    return str(error) if foreseen else unforeseen(f"A step for {context.resource.urn}", error)


def _modify(context: Context, modify: Modify, names: frozenset[str], failures: list[str], unset: set[str]) -> None:
    batches = [frozenset({name}) for name in sorted(names)] if modify.each else [names]
    for batch in batches:
        wanted = {n: context.inputs.get(n) for n in (modify.fields if modify.whole else batch)}
        for name in batch:
            if wanted.get(name) is None and (name in modify.clear or name in context.entry.defaults):
                wanted[name] = context.fill(modify.clear.get(name, context.entry.defaults.get(name)))

        def send(wanted: dict[str, Any] = wanted) -> None:
            request = context.fill(modify.fixed)
            parameters(context, modify, wanted, into=request)
            context.call(modify.operation, **request)

        _attempt(context, failures, unset, set(batch), send)


def changed_properties(context: Context) -> frozenset[str]:
    """Top-level properties that differ from the inputs before, or from what the state says is there."""
    names = {n for n in {*context.old, *context.inputs} if not n.startswith("__")}
    return frozenset(
        name
        for name in names
        if merged(context, name, context.inputs.get(name), context.old.get(name)) != context.inputs.get(name)
        or (
            name not in context.entry.placed
            and context.inputs.get(name) is not None
            and merged(context, name, context.inputs[name], context.outputs.get(name)) != context.inputs[name]
        )
    )


def update(context: Context) -> dict[str, Any]:
    """Brings the resource from `context.old` to `context.inputs`; returns its outputs."""
    entry, changed = context.entry, changed_properties(context)
    if entry.before_update:
        entry.before_update(context, changed)
    failures: list[str] = []
    unset: set[str] = set()
    for modify in entry.modifies:
        names = frozenset(modify.fields) & changed
        if names:
            _modify(context, modify, names, failures, unset)
    if entry.tags:
        before, wanted = context.outputs.get("tags") or {}, context.inputs.get("tags") or {}
        _attempt(context, failures, unset, {"tags"}, lambda: tagging.apply(context, before, wanted))
    if entry.after_update:
        hook = entry.after_update
        _attempt(context, failures, unset, set(changed), lambda: hook(context, changed))
    return _finish(context, failures, unset)


def delete(context: Context) -> None:
    """Deletes the resource; what is gone already is deleted."""
    entry = context.entry
    try:
        if entry.before_delete:
            entry.before_delete(context)
        if entry.delete_hook:
            entry.delete_hook(context)
        elif entry.delete:
            request = context.fill(entry.delete.fixed)
            parameters(context, entry.delete, {**context.outputs, **context.inputs}, into=request)
            context.call(entry.delete.operation, **request)
    except ApiError as error:
        if error.code not in entry.missing:
            raise
