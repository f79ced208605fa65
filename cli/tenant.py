"""`freehold tenant`: create, list, show, plan, suspend, resume, delete."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Annotated

import typer

from cli.asking import Asking, FollowOption, KeyOption
from cli.cell import Cell, open_cell
from cli.options import EnvironmentOption, JsonOption, NoColorOption, TargetOption, YesOption, spread
from cli.output import show_json, show_table, spell
from errors import UsageError

if TYPE_CHECKING:
    from fleet.operations import Operation
    from fleet.registry import Tenant

app = typer.Typer(name="tenant", no_args_is_help=True, help="Create, look at, change, suspend and delete tenants.")

TenantArgument = Annotated[str, typer.Argument(metavar="ID", help="A DNS label of at most 40 characters without `--`.")]
CellOption = Annotated[str | None, typer.Option("--cell", metavar="CELL", help="Cell of the environment to live in.")]


@app.command()
def create(
    tenant: TenantArgument,
    plan: Annotated[str, typer.Option(metavar="PLAN", help="A plan of the environment's product.")],
    env: EnvironmentOption = None,
    target: TargetOption = None,
    name: Annotated[str | None, typer.Option(help="What people call it. Default: the id.")] = None,
    subdomain: Annotated[
        str | None, typer.Option(help="Recorded, and unique; nothing routes by it yet. Default: the id.")
    ] = None,
    region: Annotated[str | None, typer.Option(help="Where its data must be. Default: the cell's.")] = None,
    email: Annotated[str | None, typer.Option(help="Its administrator's address.")] = None,
    cell: CellOption = None,
    key: KeyOption = None,
    wait: FollowOption = True,
    yes: YesOption = False,
    as_json: JsonOption = False,
    no_color: NoColorOption = False,
) -> None:
    """Make a tenant: a row in the registry, then, by the runner, its own stack. One that failed is tried again."""
    from fleet.environments import cell_asked
    from fleet.registry import Status
    from fleet.wishes import Request

    request = Request(tenant, plan, name, subdomain, email, region)
    request.require_lines()
    asking = Asking(cell_asked(env, cell), target, key, wait, yes)
    with asking.open_cell(tenant) as opened:
        found = opened.registry.get(tenant)
        again = found is not None and found.status in (Status.PENDING, Status.FAILED) and found.plan == plan
        if not again:
            asking.confirm(f"Create {tenant} on plan {plan} in {opened.environment.cell}?")
        asked = opened.requests.create(request, asking.asker())
        asking.follow(opened, asked, f"tenant {tenant}")
        _show(opened, tenant, asked, as_json=as_json)


@app.command("list")
def list_tenants(
    env: EnvironmentOption = None,
    target: TargetOption = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="Those that were deleted too.")] = False,
    as_json: JsonOption = False,
    no_color: NoColorOption = False,
) -> None:
    """List the tenants in the registry."""
    with open_cell(env, target, read_only=True) as opened:
        rows = opened.registry.list(deleted=deleted)
    if as_json:
        show_json([row.model_dump(mode="json") for row in rows])
        return
    show_table(
        ("tenant", "name", "plan", "tier", "cell", "region", "status", "built"),
        [
            (row.id, row.name, row.plan, str(row.tier), row.cell, row.region, str(row.status), _built(row))
            for row in rows
        ],
    )


@app.command()
def show(
    tenant: TenantArgument,
    env: EnvironmentOption = None,
    target: TargetOption = None,
    as_json: JsonOption = False,
    no_color: NoColorOption = False,
) -> None:
    """Show one tenant's record, and the state of its operation that is open or was last."""
    from fleet.wishes import require_id

    require_id(tenant)
    with open_cell(env, target, read_only=True) as opened:
        _show(opened, tenant, as_json=as_json)


@app.command("plan")
@spread
def change_plan(
    tenant: TenantArgument,
    plan: Annotated[str, typer.Argument(metavar="PLAN")],
    asking: Asking,
    as_json: JsonOption = False,
    no_color: NoColorOption = False,
) -> None:
    """Move a tenant to another plan: its quotas change, its data stays."""
    with asking.open_cell(tenant) as cell:
        row = cell.find(tenant)
        asking.confirm(f"Move {tenant} from {row.plan} to {plan}?")
        asked = cell.requests.change_plan(tenant, plan, asking.asker())
        asking.follow(cell, asked, f"tenant {tenant}")
        _show(cell, tenant, asked, as_json=as_json)


@app.command()
@spread
def suspend(
    tenant: TenantArgument, asking: Asking, as_json: JsonOption = False, no_color: NoColorOption = False
) -> None:
    """Suspend a tenant: its data stays, nothing of it runs, nobody gets in. Only a person can resume it."""
    with asking.open_cell(tenant) as cell:
        cell.find(tenant)
        asking.confirm(f"Suspend {tenant}? Its programs end, and nobody gets in; its data stays.")
        asked = cell.requests.suspend(tenant, asking.asker())
        asking.follow(cell, asked, f"suspending tenant {tenant}")
        _show(cell, tenant, asked, as_json=as_json)


@app.command()
@spread
def resume(
    tenant: TenantArgument, asking: Asking, as_json: JsonOption = False, no_color: NoColorOption = False
) -> None:
    """End a tenant's suspension, whatever it was for: it has again all that its plan gives."""
    with asking.open_cell(tenant) as cell:
        row = cell.find(tenant)
        asking.confirm(f"Resume {tenant} on plan {row.plan}?")
        asked = cell.requests.resume(tenant, asking.asker())
        asking.follow(cell, asked, f"resuming tenant {tenant}")
        _show(cell, tenant, asked, as_json=as_json)


@app.command()
@spread
def delete(
    tenant: TenantArgument,
    yes_delete_data: Annotated[
        str, typer.Option("--yes-delete-data", metavar="ID", help="The id again: its data is deleted for good.")
    ],
    asking: Asking,
    no_color: NoColorOption = False,
) -> None:
    """Delete a tenant with all its data. The registry keeps its row, as deleted."""
    if yes_delete_data != tenant:
        raise UsageError(f"--yes-delete-data says {yes_delete_data!r}, not {tenant!r}", mend="say the same id twice")
    with asking.open_cell(tenant) as cell:
        cell.find(tenant)
        asking.confirm(f"Delete {tenant} with all its data?")
        asked = cell.requests.delete(tenant, asking.asker())
        asking.follow(cell, asked, f"deleting tenant {tenant}")
    done = "is deleted" if asking.wait else f"is being deleted by operation {asked.id}"
    typer.echo(f"tenant {tenant} {done}")


def _show(opened: Cell, tenant: str, asked: Operation | None = None, *, as_json: bool) -> None:
    """Its record, and what came of what was asked, if anything was; others of its operations may be open beside it."""
    row, view = opened.find(tenant), opened.view
    operation = view.latest(tenant) if asked is None else view.get(asked.id)
    if as_json:
        kept = None if operation is None else operation.model_dump(mode="json", exclude={"payload"})
        show_json({**row.model_dump(mode="json"), "operation": kept})
        return
    shown = row.model_dump(mode="json", exclude={"limits", "desired_hash", "applied_hash"})
    limits = ", ".join(f"{name} {'unlimited' if value is None else value}" for name, value in row.limits.items())
    fields = [(key.replace("_", " "), str(value)) for key, value in shown.items() if value is not None]
    told = [] if operation is None else _told(operation)
    show_table(("", ""), [*fields, ("limits", limits), ("built", _built(row)), *told])


def _told(operation: Operation) -> list[tuple[str, str]]:
    """The lines about an operation."""
    took = "" if operation.seconds is None else f", the last one {spell(operation.seconds)}"
    lines = [
        ("operation", f"{operation.kind}, {operation.state}, asked by {operation.requester}"),
        *([("at", _at(operation))] if operation.state == "running" else []),
        ("attempts", f"{operation.attempt} ({operation.failures} failed){took}"),
        ("operation id", str(operation.id)),
        ("correlation id", operation.correlation_id),
    ]
    if operation.error is not None:
        lines.append(("operation error", operation.error))
    if operation.failures and not operation.ended:
        lines.append(("tried again", f"after {operation.not_before.astimezone(UTC):%H:%M:%S} UTC"))
    return lines


def _at(operation: Operation) -> str:
    """`previewing`, `creating database (3 of 24 resources)`."""
    from cli.following import at

    done, planned, doing = at(operation)
    return f"{doing} ({done} of {planned} resources)" if planned else doing


def _built(row: Tenant) -> str:
    from fleet.registry import Status

    if row.status is Status.DELETING:
        return "being deleted"
    if row.applied_hash is None:
        return "no"
    return "as wanted" if row.applied_hash == row.desired_hash else "not yet as wanted"
