"""`freehold fleet`: all tenants of a cell at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.cell import Cell, open_cell
from cli.options import EnvironmentOption, JsonOption, NoColorOption, TargetOption, YesOption, confirm
from cli.output import console, show_json, show_table, spell
from errors import FreeholdError, UsageError
from fleet.counting import counted
from fleet.events import tally

if TYPE_CHECKING:
    from fleet.operations import Operation

app = typer.Typer(
    name="fleet", no_args_is_help=True, help="All tenants of a cell: bring them up to date, look at them."
)

FollowOption = Annotated[
    bool, typer.Option("--wait/--no-wait", help="Follow them until they end, or only ask for them and return.")
]


@app.command()
def up(
    env: EnvironmentOption = None,
    target: TargetOption = None,
    wait: FollowOption = True,
    yes: YesOption = False,
    as_json: JsonOption = False,
    no_color: NoColorOption = False,
) -> None:
    """Bring every tenant up to date that is not as it is wanted, or was built by another version of the program.

    One whose deletion is asked for meanwhile is told and left out, which is no failure.
    """
    from cli.following import Follower, goes_on
    from cli.opening import start_runner
    from fleet.interrupts import Interrupts
    from fleet.program import program_version

    with open_cell(env, target) as cell:
        version = program_version()
        due = [one.id for one in cell.registry.list(cell=cell.environment.cell) if one.due(version)]
        if due:
            confirm(f"Bring {counted(len(due), 'tenant')} of {cell.environment.cell} up to date?", yes=yes)
            start_runner(cell.environment)
        operations = _ask(cell, due)
        if operations and wait:
            follower = Follower(cell.environment, cell.view, cell.screen, Interrupts())
            mend = f"./freehold fleet status{cell.environment.options} says how far they are"
            where = f"cell {cell.environment.cell}"
            with goes_on(where, mend), cell.screen.step(counted(len(operations), "tenant")) as step:
                operations = follower.follow_all(operations, step)
    if as_json:
        show_json([_as_json(one) for one in operations])
    elif not operations:
        others = "every other tenant" if due else "every tenant"  # those that were left out are told above
        typer.echo(f"{others} is as it is wanted, built by this version of the program")
    else:
        _show(operations)
    # One that was cancelled had its tenant's deletion before it.
    failed = [one for one in operations if one.state == "failed"]
    if failed:
        raise FreeholdError(
            f"{len(failed)} of {len(operations)} operations failed",
            where=f"cell {cell.environment.cell}",
            mend=f"./freehold tenant show {failed[0].tenant}{cell.environment.options} says why",
        )


def _ask(cell: Cell, tenants: Sequence[str]) -> Sequence[Operation]:
    """An update of each. One that takes none any more is told and left out: the list is from before a person agreed."""
    from cli.following import requester
    from fleet.tenant_requests import Asker

    asked = []
    for tenant in tenants:
        try:
            asked.append(cell.requests.update(tenant, Asker(requester())))
        except UsageError as error:
            cell.screen.tell(f"left out: {error.line()}")
    return asked


@app.command()
def status(
    env: EnvironmentOption = None,
    target: TargetOption = None,
    as_json: JsonOption = False,
    no_color: NoColorOption = False,
) -> None:
    """Show how much waits, what runs now and what fails; exit code 1 where something was given up."""
    from fleet.program import program_version

    with open_cell(env, target, read_only=True) as opened:
        name, view, version = opened.environment.cell, opened.view, program_version()
        options = opened.environment.options
        tenants = opened.registry.list(cell=name)
        backlog, waiting, failing = view.backlog(name), view.open(name), view.failing(name)
    due = sum(one.due(version) for one in tenants)
    if as_json:
        totals = {"cell": name, "tenants": len(tenants), "due": due, "backlog": asdict(backlog)}
        lists = {"open": [_as_json(one) for one in waiting], "failing": [_as_json(one) for one in failing]}
        show_json({**totals, **lists})
    else:
        console().print(f"cell {name}: {counted(len(tenants), 'tenant')}, {due} due")
        console().print(
            f"operations: {backlog.queued} queued ({backlog.retrying} to be tried again"
            f"{_since(backlog.oldest_queued_seconds)}), {backlog.running} running"
            f"{_since(backlog.oldest_running_seconds)}, {backlog.failed} given up"
        )
        if shown := {one.id: one for one in (*waiting, *failing)}:
            _show(list(shown.values()))
    # Not by the backlog, which was counted before: what was given up may have been asked for anew since.
    if given_up := [one for one in failing if one.ended]:
        raise FreeholdError(
            f"the last operation of {counted(len(given_up), 'tenant')} was given up",
            where=f"cell {name}",
            mend=f"./freehold tenant show {given_up[0].tenant}{options} says why",
        )


def _since(seconds: float) -> str:
    """Since the oldest was asked for, however often it was tried."""
    return f", the oldest asked for {spell(seconds)} ago" if seconds else ""


def _show(operations: Sequence[Operation]) -> None:
    columns = ("tenant", "operation", "state", "attempts", "took", "changes", "error")
    show_table(columns, [_line(one) for one in operations])


def _line(one: Operation) -> tuple[str, ...]:
    changes = (one.result or {}).get("changes")
    seconds = one.seconds
    if one.started_at is not None and not one.ended and one.state == "running":
        seconds = (datetime.now(UTC) - one.started_at).total_seconds()
    return (
        one.tenant,
        str(one.kind),
        str(one.state),
        str(one.attempt),
        "" if seconds is None else spell(max(0.0, seconds)),
        "" if changes is None else tally(changes),
        one.error or "",
    )


def _as_json(one: Operation) -> dict[str, Any]:
    return one.model_dump(mode="json", exclude={"payload"})
