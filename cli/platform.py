"""`freehold preview|refresh|destroy`: the engine's commands on one environment's platform stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from cli import options
from cli.options import CloudOption, NoColorOption, RequiredEnvironment, TargetOption, WaitOption, YesOption, confirm
from cli.output import Screen
from errors import FreeholdError
from fleet.targets import Cloud, Target

if TYPE_CHECKING:
    from fleet.program_host.client import ProgramHost


def preview(
    env: RequiredEnvironment,
    target: TargetOption = None,
    cloud: CloudOption = Cloud.AWS,
    wait: WaitOption = options.WAIT,
    no_color: NoColorOption = False,
) -> None:
    """Show what `up` would change in ENV's platform, under the policies; nothing is changed."""
    from cli.opening import platform_program
    from fleet.environments import choose

    cell, chosen = choose(env, target, cloud)
    with platform_program(cell, cloud) as programs:
        _run("preview", cell, chosen, wait, programs)


def refresh(
    env: RequiredEnvironment,
    target: TargetOption = None,
    cloud: CloudOption = Cloud.AWS,
    wait: WaitOption = options.WAIT,
    no_color: NoColorOption = False,
) -> None:
    """Read ENV's platform anew from the cloud into its state."""
    from fleet.environments import choose

    cell, chosen = choose(env, target, cloud)
    _run("refresh", cell, chosen, wait)


def destroy(
    env: RequiredEnvironment,
    target: TargetOption = None,
    cloud: CloudOption = Cloud.AWS,
    wait: WaitOption = options.WAIT,
    yes: YesOption = False,
    no_color: NoColorOption = False,
) -> None:
    """Delete ENV's platform. It must hold no tenants any more; what is protected stops it."""
    from fleet.environments import choose

    cell, chosen = choose(env, target, cloud)
    confirm(f"Delete the platform of {cell} ({chosen}) with all its data?", yes=yes)
    _run("destroy", cell, chosen, wait)


def _run(command: str, cell: str, target: Target, wait: float, programs: ProgramHost | None = None) -> None:
    from cli.opening import build_archive, check_account, engine_maker, open_environment, platform_state
    from fleet.events import tally
    from fleet.interrupts import Interrupts

    with Screen() as screen:
        environment = open_environment(cell, target, screen, start=True)
        state = platform_state(environment)
        check_account(environment, state, screen)
        if command == "destroy":
            _require_no_tenants(environment.home.tenants / cell, cell)
            if target is Target.SANDBOX:
                from sandbox.supervisor.client import Supervisor

                supervisor = Supervisor.connect(environment.home)
                supervisor.stop_runner(cell)
                supervisor.stop_webhook()
                supervisor.stop_notifier()
        if command == "preview":
            build_archive(environment, screen)
        with screen.step(f"{command} {cell}") as step:
            make = engine_maker(environment, screen, Interrupts(), wait, programs)
            engine = make(environment.stack, step.observe)
            result = {"preview": engine.preview, "refresh": engine.refresh, "destroy": engine.destroy}[command]()
            step.result = tally(result.progress.changes)
    _show(command, result.changed, result.progress.changes, environment.home.logs / f"pulumi-{cell}.log")


def _show(command: str, changed: int, changes: dict[str, int], log: object) -> None:
    from fleet.events import tally

    verb = {"preview": "would change", "refresh": "changed", "destroy": "changed"}[command]
    typer.echo(
        f"{verb} {changed} resources ({tally(changes)}); details in {log}"
        if changed
        else f"{verb} nothing ({tally(changes)})"
    )


def _require_no_tenants(folder: object, cell: str) -> None:
    from pathlib import Path

    assert isinstance(folder, Path)
    if folder.is_dir() and (tenants := sorted(path.name for path in folder.iterdir())):
        raise FreeholdError(
            f"it still holds {', '.join(tenants)}",
            where=f"environment {cell}",
            mend=f"delete each first: ./freehold tenant delete {tenants[0]} --yes-delete-data {tenants[0]}",
        )
