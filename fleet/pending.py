"""After a kill: operations whose end the engine did not see are looked up and put right, before the next update.

The engine has `pulumi refresh --import-pending-creates` for it; in v3.200.0 that marks the create as an import
which refresh then drops, so that the resource is lost. So the state is edited instead, by `pulumi stack export` and
`pulumi stack import`, and what came in is read by a refresh of just those resources.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from errors import FreeholdError
from fleet.state import StackState
from fleet.urns import urn_name
from sandbox.home import Home
from sandbox.providers.creations import Creations

Json = Any

_SETTLE_SECONDS = 300.0
"""The longest that a create in hand may take when its engine is gone: a cluster or a database."""


@dataclass(frozen=True)
class Resolution:
    """`made` is the id of each pending create that exists by its URN; `cleared` were never made; `refresh` are to be
    read again because they may have been changed."""

    made: Mapping[str, str]
    cleared: Sequence[str]
    refresh: Sequence[str]

    def __str__(self) -> str:
        parts = (("brought in", self.made), ("to be made again", self.cleared), ("read again", self.refresh))
        return "; ".join(f"{what}: {', '.join(map(urn_name, urns))}" for what, urns in parts if urns)


def look_up(home: Home, stack: str, state: StackState, stop: Callable[[], None]) -> Resolution:
    """What became of the pending operations, from the journal of the sandbox's provider host.

    Waits for a create that is still in hand there, and calls `stop` meanwhile, which raises where the waiting shall
    end. Raises FreeholdError where the journal cannot decide.
    """
    made: dict[str, str] = {}
    cleared: list[str] = []
    with Creations(home) as creations:
        for operation in state.pending:
            if operation.kind != "creating":
                continue
            _settle(creations, stack, operation.urn, stop)
            ids = sorted(set(creations.ids(operation.urn)) - state.ids(operation.urn))
            if len(ids) > 1:
                raise FreeholdError(
                    f"{urn_name(operation.urn)} was made more than once: {', '.join(ids)}",
                    where=f"stack {stack}",
                    mend="delete all but one of them, then run it again",
                )
            if ids:
                made[operation.urn] = ids[0]
            else:
                cleared.append(operation.urn)
    known = {resource["urn"] for resource in state.resources}
    changed = [op.urn for op in state.pending if op.kind in ("updating", "deleting") and op.urn in known]
    return Resolution(made, cleared, changed)


def refuse(stack: str, state: StackState, folder: Path) -> None:
    """Where no journal exists (a real cloud), a person decides. `folder` is what the engine runs in.

    Raises FreeholdError if there is a pending create.
    """
    if creating := [op.urn for op in state.pending if op.kind == "creating"]:
        names = ", ".join(map(urn_name, creating))
        raise FreeholdError(
            f"an earlier run was cut off while it made {names}; whether they exist is not known",
            where=f"stack {stack}",
            mend=f"look them up in the cloud, then run `pulumi refresh --stack {stack}` in a terminal, which asks, "
            f"in a folder with what {folder} has (docs/recover.md)",
        )


def cut_off(home: Home, project: str, stack: str) -> tuple[str, ...]:
    """The URNs whose create died with its provider host, and which nobody has asked for again since.

    The engine outlived the host: it has seen the create fail, and keeps nothing of it in the state.
    """
    with Creations(home) as creations:
        return creations.cut_off(stack, project)


def require_none_cut_off(home: Home, project: str, stack: str) -> None:
    """After a run: raises FreeholdError, once for each, where it has not asked again for what was cut off."""
    with Creations(home) as creations:
        if urns := creations.cut_off(stack, project):
            creations.tell(urns)
            names = ", ".join(map(urn_name, urns))
            raise FreeholdError(
                f"done, but the provider died while it made {names}, which nothing asks for any more; "
                "whether it exists is not known, and no state holds it",
                where=f"stack {stack}",
                mend="ask for it once more and then take it away, or look for it (docs/recover.md)",
            )


def edited(deployment: Mapping[str, Json], resolution: Resolution) -> dict[str, Json]:
    """The deployment with each create that was made among its resources, and without pending operations."""
    result: dict[str, Json] = copy.deepcopy(dict(deployment))
    pending = result.pop("pending_operations", None) or []
    resources: list[dict[str, Json]] = result.get("resources") or []
    for operation in pending:
        resource = operation["resource"]
        identity = resolution.made.get(resource["urn"])
        if operation["type"] != "creating" or identity is None:
            continue
        # What was being replaced has its successor: it is gone, or is to be deleted.
        resources = [old for old in resources if old["urn"] != resource["urn"] or not old.get("pendingReplacement")]
        for old in resources:
            if old["urn"] == resource["urn"]:
                old["delete"] = True
        resources.append({**resource, "id": identity, "outputs": resource.get("inputs") or {}})
    result["resources"] = in_order(resources)
    return result


def in_order(resources: Sequence[Mapping[str, Json]]) -> list[Mapping[str, Json]]:
    """`resources` with each after all that it depends on, as the engine demands, otherwise in the order given."""
    by_urn: dict[str, list[Mapping[str, Json]]] = {}
    for resource in resources:
        by_urn.setdefault(resource["urn"], []).append(resource)
    placed: set[int] = set()
    result: list[Mapping[str, Json]] = []

    def place(resource: Mapping[str, Json]) -> None:
        if id(resource) in placed:
            return
        placed.add(id(resource))
        for urn in _needs(resource):
            for needed in by_urn.get(urn, ()):
                if not needed.get("delete"):
                    place(needed)
        result.append(resource)

    # Those that wait for their deletion come last, as the engine keeps them.
    for resource in sorted(resources, key=lambda resource: bool(resource.get("delete"))):
        place(resource)
    return result


def _needs(resource: Mapping[str, Json]) -> Iterable[str]:
    yield resource.get("parent") or ""
    yield (resource.get("provider") or "").rpartition("::")[0]
    yield resource.get("deletedWith") or ""
    yield from resource.get("dependencies") or ()
    for urns in (resource.get("propertyDependencies") or {}).values():
        yield from urns or ()


def _settle(creations: Creations, stack: str, urn: str, stop: Callable[[], None]) -> None:
    deadline = time.monotonic() + _SETTLE_SECONDS
    while creations.under_way(urn):
        stop()
        if time.monotonic() > deadline:
            raise FreeholdError(
                f"{urn_name(urn)} has been in the making for {_SETTLE_SECONDS:.0f} s",
                where=f"stack {stack}",
                mend="./freehold sandbox stop, then run it again",
            )
        time.sleep(0.1)


def resolve(
    home: Home,
    stack: str,
    state: StackState,
    *,
    export: Callable[[], dict[str, Json]],
    replace: Callable[[dict[str, Json]], object],
    refresh: Callable[[Sequence[str]], None],
    tell: Callable[[str], None],
    stop: Callable[[], None],
) -> None:
    """Put the state right. `export` and `replace` read and write the whole state, `refresh` reads resources anew."""
    resolution = look_up(home, stack, state, stop)
    tell(f"stack {stack}: an earlier run was cut off; {resolution}")
    exported = export()
    exported["deployment"] = edited(exported["deployment"], resolution)
    replace(exported)
    with Creations(home) as creations:
        for urn in resolution.made:
            creations.settle(urn)
    if urns := [*resolution.made, *resolution.refresh]:
        refresh(urns)
