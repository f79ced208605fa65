"""`freehold preview|refresh|destroy`: the engine's commands on one environment's platform stack."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import options
from cli.options import (
    CloudOption,
    JsonOption,
    NoColorOption,
    RequiredEnvironment,
    TargetOption,
    WaitOption,
    YesOption,
    confirm,
)
from cli.output import Screen, show_json
from errors import FreeholdError
from fleet.counting import counted
from fleet.targets import Cloud, Target

if TYPE_CHECKING:
    from fleet.environments import Environment
    from fleet.program_host.client import ProgramHost
    from fleet.stack import Result
    from fleet.state import StackState

WithoutRegistryOption = Annotated[
    bool,
    typer.Option(
        "--without-registry",
        help="Do not ask the tenant registry: an earlier destroy, which found no tenants, has taken the way to it.",
    ),
]

AllOption = Annotated[bool, typer.Option("--all", help="List each resource of a new component too.")]
ExpectNoChangesOption = Annotated[
    bool, typer.Option("--expect-no-changes", help="Exit with 1 where something would change.")
]


def preview(
    env: RequiredEnvironment,
    target: TargetOption = None,
    cloud: CloudOption = Cloud.AWS,
    wait: WaitOption = options.WAIT,
    each: AllOption = False,
    expect_no_changes: ExpectNoChangesOption = False,
    as_json: JsonOption = False,
    no_color: NoColorOption = False,
) -> None:
    """Show what `up` would change in ENV's platform, under the policies; nothing is changed.

    Each resource with the paths of what differs, never a value. Deletions and replacements come first, marked with `!`.

    A component that is new is one row, with the number of its resources. Then what the policies advise.
    """
    from cli.opening import platform_program
    from cli.plan import Plan, show_plan
    from fleet.environments import choose

    cell, chosen = choose(env, target)
    with platform_program(cell, cloud) as programs:
        result, log = _run("preview", cell, chosen, wait, programs)
    plan = Plan.of(cell, result)
    if as_json:
        show_json(plan.as_json())
    else:
        show_plan(plan, each=each)
        typer.echo(f"{plan}; details in {log}" if plan.changes else str(plan))
    if expect_no_changes and plan.changes:
        what = f"{counted(len(plan.changes), 'resource')} would change, and none was expected to"
        raise FreeholdError(what, where=f"environment {cell}", mend="run up, or take back what changes them")


def refresh(
    env: RequiredEnvironment,
    target: TargetOption = None,
    cloud: CloudOption = Cloud.AWS,
    wait: WaitOption = options.WAIT,
    no_color: NoColorOption = False,
) -> None:
    """Read ENV's platform anew from the cloud into its state."""
    from fleet.environments import choose

    cell, chosen = choose(env, target)
    _show(*_run("refresh", cell, chosen, wait))


def destroy(
    env: RequiredEnvironment,
    target: TargetOption = None,
    cloud: CloudOption = Cloud.AWS,
    wait: WaitOption = options.WAIT,
    without_registry: WithoutRegistryOption = False,
    yes: YesOption = False,
    no_color: NoColorOption = False,
) -> None:
    """Delete ENV's platform. It must hold no tenants any more; what is protected stops it."""
    from fleet.environments import choose

    cell, chosen = choose(env, target)
    confirm(f"Delete the platform of {cell} ({chosen}) with all its data?", yes=yes)
    _show(*_run("destroy", cell, chosen, wait, without_registry=without_registry))


def _run(
    command: str,
    cell: str,
    target: Target,
    wait: float,
    programs: ProgramHost | None = None,
    *,
    without_registry: bool = False,
) -> tuple[Result, Path]:
    """Have the engine do it. Returns what it came to, and the file that has all that the engine said."""
    from cli.cell import told_if_lost
    from cli.opening import build_archive, check_account, engine_maker, open_environment, platform_state
    from cli.prerequisites import require
    from fleet.events import tally
    from fleet.interrupts import Interrupts

    with Screen() as screen:
        environment = open_environment(cell, target, screen, start=True)
        state = platform_state(environment)
        check_account(environment, state, screen)
        if command == "destroy":
            if not without_registry:
                with told_if_lost(cell):
                    require_no_tenants(environment, state)
            if target is Target.SANDBOX:
                from sandbox.supervisor.client import Supervisor

                supervisor = Supervisor.connect(environment.home)
                supervisor.stop_runner(cell)
                supervisor.stop_webhook()
                supervisor.stop_notifier()
        if command == "preview":
            require(environment)
            build_archive(environment, screen)
        with screen.step(f"{command} {cell}") as step:
            make = engine_maker(environment, screen, Interrupts(), wait, programs)
            engine = make(environment.stack, step.observe)
            result = {"preview": engine.preview, "refresh": engine.refresh, "destroy": engine.destroy}[command]()
            step.result = tally(result.progress.changes)
    return result, environment.home.logs / f"pulumi-{cell}.log"


def _show(result: Result, log: Path) -> None:
    from fleet.events import tally

    told = tally(result.progress.changes)
    typer.echo(
        f"changed {counted(result.changed, 'resource')} ({told}); details in {log}"
        if result.changed
        else f"changed nothing ({told})"
    )


def require_no_tenants(environment: Environment, state: StackState | None) -> None:
    """Raises FreeholdError where the cell still holds tenants, or its registry does not say whether it does.

    A platform that was never built to its end has none, for a tenant is made from its contract; one whose control
    database an earlier destroy has deleted was found empty then.
    """
    from fleet.control_database import control_database
    from fleet.registry import Registry
    from stacks.contract import OUTPUT

    if state is None or OUTPUT not in state.outputs:
        return
    where = f"environment {environment.cell}"
    contract = environment.contract(state)
    control = contract.database.control
    if control is None:
        folder = environment.home.tenants / environment.cell  # all that is known here of a cell that shares a registry
        tenants = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    elif not any((one.get("outputs") or {}).get("identifier") == control.identifier for one in state.managed):
        return
    else:
        try:
            database = control_database(contract, environment.engine)
        except FreeholdError as error:
            what = f"whether it still holds tenants is not known: {error.what}"
            mend = f"{error.mend}; if an earlier destroy has taken the way to it: --without-registry"
            raise FreeholdError(what, where=where, mend=mend.removeprefix("; ")) from None
        tenants = [one.id for one in Registry(database).list(cell=environment.cell)]
        database.dispose()
    if tenants:
        first = tenants[0]
        mend = f"delete each first: ./freehold tenant delete {first} --yes-delete-data {first}{environment.options}"
        raise FreeholdError(f"it still holds {', '.join(tenants)}", where=where, mend=mend)
