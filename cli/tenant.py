"""`freehold tenant`: create, list, show, plan, delete."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from cli import options
from cli.options import EnvironmentOption, JsonOption, NoColorOption, TargetOption, WaitOption, YesOption, confirm
from cli.output import Screen, show_json, show_table
from errors import UsageError

if TYPE_CHECKING:
    from fleet.environments import Environment
    from fleet.interrupts import Interrupts
    from fleet.registry import Registry, Tenant
    from fleet.targets import Target
    from fleet.tenants import Tenants
    from stacks.contract import PlatformContract

app = typer.Typer(name="tenant", no_args_is_help=True, help="Create, look at, change and delete tenants.")

TenantArgument = Annotated[str, typer.Argument(metavar="ID", help="A DNS label of at most 40 characters without `--`.")]
CellOption = Annotated[str | None, typer.Option("--cell", metavar="CELL", help="Cell of the environment to live in.")]


@dataclass(frozen=True)
class Opened:
    """A cell whose platform is built, and its registry."""

    environment: Environment
    contract: PlatformContract
    registry: Registry
    screen: Screen
    interrupts: Interrupts
    wait: float

    def tenants(self, step: object | None = None) -> Tenants:
        """The cell's tenants; the engine's progress is shown on `step`."""
        from cli.opening import engine_maker
        from cli.output import Step
        from fleet.tenants import Tenants

        make = engine_maker(self.environment, self.screen, self.interrupts, self.wait)
        observe = step.observe if isinstance(step, Step) else None
        return Tenants(
            self.environment,
            self.contract.product,
            self.contract.region,
            self.registry,
            lambda stack: make(stack, observe),
        )

    def find(self, tenant: str) -> Tenant:
        """Raises UsageError where the registry has none, or another cell has it."""
        found = self.registry.get(tenant)
        if found is None:
            raise UsageError("there is no such tenant", where=f"tenant {tenant}", mend="./freehold tenant list")
        if found.cell != self.environment.cell:
            raise UsageError(f"it lives in {found.cell}", where=f"tenant {tenant}", mend=f"--env {found.cell}")
        return found


@contextmanager
def _opened(env: str | None, target: Target | None, wait: float = options.WAIT) -> Iterator[Opened]:
    from cli.opening import check_account, open_environment, platform_state
    from fleet.control_database import open_registry
    from fleet.environments import choose
    from fleet.interrupts import Interrupts

    cell, chosen = choose(env, target)
    with Screen() as screen:
        environment = open_environment(cell, chosen, screen, start=False)
        state = platform_state(environment)
        contract = environment.contract(state)
        check_account(environment, state, screen)
        registry = open_registry(contract, environment.engine)
        yield Opened(environment, contract, registry, screen, Interrupts(), wait)


@app.command()
def create(
    tenant: TenantArgument,
    plan: Annotated[str, typer.Option(metavar="PLAN", help="A plan of the environment's product.")],
    env: EnvironmentOption = None,
    target: TargetOption = None,
    name: Annotated[str | None, typer.Option(help="What people call it. Default: the id.")] = None,
    subdomain: Annotated[str | None, typer.Option(help="Default: the id.")] = None,
    region: Annotated[str | None, typer.Option(help="Where its data must be. Default: the cell's.")] = None,
    email: Annotated[str | None, typer.Option(help="Its administrator's address.")] = None,
    cell: CellOption = None,
    wait: WaitOption = options.WAIT,
    yes: YesOption = False,
    as_json: JsonOption = False,
    no_color: NoColorOption = False,
) -> None:
    """Make a tenant: a row in the registry, then its own stack. One that failed is tried again."""
    from fleet.registry import Status
    from fleet.tenants import Request, require_id

    require_id(tenant)
    with _opened(cell or env, target, wait) as opened:
        found = opened.registry.get(tenant)
        again = found is not None and found.status in (Status.PENDING, Status.FAILED) and found.plan == plan
        if not again:
            confirm(f"Create {tenant} on plan {plan} in {opened.environment.cell}?", yes=yes)
        with opened.screen.step(f"tenant {tenant}") as step:
            tenants = opened.tenants(step)
            request = Request(tenant, plan, name, subdomain, email, region)
            row = opened.find(tenant) if again else tenants.add(request)
            row, result = tenants.build(row)
            step.result = f"{result.changed} resources changed"
    _show(row, as_json=as_json)


@app.command("list")
def list_tenants(
    env: EnvironmentOption = None,
    target: TargetOption = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="Those that were deleted too.")] = False,
    as_json: JsonOption = False,
    no_color: NoColorOption = False,
) -> None:
    """List the tenants in the registry."""
    with _opened(env, target) as opened:
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
    """Show one tenant's record."""
    from fleet.tenants import require_id

    require_id(tenant)
    with _opened(env, target) as opened:
        row = opened.find(tenant)
    _show(row, as_json=as_json)


@app.command("plan")
def change_plan(
    tenant: TenantArgument,
    plan: Annotated[str, typer.Argument(metavar="PLAN")],
    env: EnvironmentOption = None,
    target: TargetOption = None,
    wait: WaitOption = options.WAIT,
    yes: YesOption = False,
    as_json: JsonOption = False,
    no_color: NoColorOption = False,
) -> None:
    """Move a tenant to another plan: its quotas change, its data stays."""
    from fleet.tenants import require_id

    require_id(tenant)
    with _opened(env, target, wait) as opened:
        row = opened.find(tenant)
        confirm(f"Move {tenant} from {row.plan} to {plan}?", yes=yes)
        with opened.screen.step(f"tenant {tenant}") as step:
            tenants = opened.tenants(step)
            row, result = tenants.build(tenants.change_plan(row, plan))
            step.result = f"{result.changed} resources changed"
    _show(row, as_json=as_json)


@app.command()
def delete(
    tenant: TenantArgument,
    yes_delete_data: Annotated[
        str, typer.Option("--yes-delete-data", metavar="ID", help="The id again: its data is deleted for good.")
    ],
    env: EnvironmentOption = None,
    target: TargetOption = None,
    wait: WaitOption = options.WAIT,
    yes: YesOption = False,
    no_color: NoColorOption = False,
) -> None:
    """Delete a tenant with all its data. The registry keeps its row, as deleted."""
    from fleet.registry import Status
    from fleet.tenants import require_id

    require_id(tenant)
    if yes_delete_data != tenant:
        raise UsageError(f"--yes-delete-data says {yes_delete_data!r}, not {tenant!r}", mend="say the same id twice")
    with _opened(env, target, wait) as opened:
        row = opened.find(tenant)
        if row.status is Status.DELETED:
            raise UsageError("it is deleted already", where=f"tenant {tenant}")
        confirm(f"Delete {tenant} with all its data?", yes=yes)
        with opened.screen.step(f"deleting tenant {tenant}") as step:
            opened.tenants(step).delete(row)
    typer.echo(f"tenant {tenant} is deleted")


def _show(row: Tenant, *, as_json: bool) -> None:
    if as_json:
        show_json(row.model_dump(mode="json"))
        return
    shown = row.model_dump(mode="json", exclude={"limits", "desired_hash", "applied_hash"})
    limits = ", ".join(f"{name} {'unlimited' if value is None else value}" for name, value in row.limits.items())
    fields = [(key.replace("_", " "), str(value)) for key, value in shown.items() if value is not None]
    show_table(("", ""), [*fields, ("limits", limits), ("built", _built(row))])


def _built(row: Tenant) -> str:
    if row.applied_hash is None:
        return "no"
    return "as wanted" if row.applied_hash == row.desired_hash else "not yet as wanted"
