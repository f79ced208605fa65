"""`freehold up`: an environment's platform and, in a rehearsal, two tenants."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from cli import options
from cli.options import (
    CloudOption,
    EnvironmentArgument,
    JsonOption,
    NoColorOption,
    TargetOption,
    WaitOption,
    YesOption,
    confirm,
)
from cli.output import Screen, show_json
from errors import UsageError
from fleet.targets import Cloud, Target

if TYPE_CHECKING:
    import sqlalchemy as sa

    from cli.live import Line
    from cli.opening import EngineMaker
    from cli.summary import Summary
    from fleet.environments import Environment
    from fleet.interrupts import Interrupts
    from fleet.operations import Operation
    from fleet.outcomes import Outcome
    from fleet.program_host.client import ProgramHost
    from fleet.tenant_requests import Requests
    from stacks.contract import PlatformContract

EXAMPLES: Mapping[str, str] = {"acme": "starter", "acme-eu": "pro"}
"""The tenants of a rehearsal, with their plans."""

BlueprintOption = Annotated[
    str | None,
    typer.Option("--blueprint", metavar="NAME", help="The product; refused unless Pulumi.<ENV>.yaml names it."),
]


def up(
    env: EnvironmentArgument = None,
    target: TargetOption = None,
    cloud: CloudOption = Cloud.AWS,
    blueprint: BlueprintOption = None,
    wait: WaitOption = options.WAIT,
    yes: YesOption = False,
    as_json: JsonOption = False,
    no_color: NoColorOption = False,
) -> None:
    """Build ENV, or bring it up to date: its platform, under the policies. A rehearsal starts the sandbox if need be,
    and has two tenants as well; real tenants are brought up to date by `fleet up`.

    In the cloud a person sees first what would change, and agrees to it; with --yes neither.

    Ends with what is there now, read from the running services. A second run changes nothing and says so.
    Killed anywhere, it goes on from there when it is run again.
    """
    from cli.cell import told_if_lost
    from cli.opening import open_environment, platform_program
    from cli.summary import show, show_next
    from fleet.environments import choose

    cell, chosen = choose(env, target)
    with Screen() as screen, platform_program(cell, cloud) as programs, told_if_lost(cell):
        environment = open_environment(cell, chosen, screen, start=True)
        _require_blueprint(environment, blueprint)
        summary = _build(environment, screen, programs, wait, yes=yes)
    if as_json:
        show_json(summary.as_json())
    else:
        show(summary)
        if chosen is Target.SANDBOX:
            show_next(environment)
    if not summary.ok:
        raise summary.failure(as_json=as_json)


def _build(environment: Environment, screen: Screen, programs: ProgramHost, wait: float, *, yes: bool) -> Summary:
    from cli.following import Follower
    from cli.opening import build_archive, check_account, engine_maker, platform_state
    from cli.prerequisites import require
    from cli.rehearsal import Rehearsal
    from cli.summary import collect
    from fleet.control_database import control_database
    from fleet.events import tally
    from fleet.interrupts import Interrupted, Interrupts
    from fleet.outcomes import Outcome
    from fleet.queue_view import QueueView

    require(environment)
    began = time.monotonic()
    if environment.target is Target.CLOUD:
        check_account(environment, platform_state(environment), screen)
    interrupts = Interrupts()
    make = engine_maker(environment, screen, interrupts, wait, programs)
    if environment.target is Target.CLOUD:
        if not yes and sys.stdin.isatty():
            _show_first(environment, screen, make)
        confirm(f"Build {environment.cell} in this account?", yes=yes)
    build_archive(environment, screen)
    with screen.step(f"platform {environment.cell}") as step:
        platform = make(environment.stack, step.observe).up()
        step.result = tally(platform.progress.changes)
    if interrupts.count:  # too late for the engine
        raise Interrupted(f"environment {environment.cell}")
    environment = environment.renewed()  # the databases that it makes are variables from now on
    contract = environment.contract(platform.state)
    database = control_database(contract, environment.engine) if environment.inside_network else None
    changed: Mapping[str, Outcome] = {}
    unchanged: Sequence[Outcome] = ()
    events: Sequence[Line] = ()
    if environment.target is Target.SANDBOX and database is not None:
        changed, unchanged = _examples(environment, contract, database, screen, interrupts)
        follower = Follower(environment, QueueView(database), screen, interrupts)
        events = Rehearsal(environment, contract, database, screen, follower).run()
    assert platform.state is not None  # an update that succeeded leaves one
    with screen.step("looking at what is there"):
        runs = {environment.cell: Outcome.of(platform), **changed}
        summary = collect(environment, platform.state, contract, database, runs, unchanged)
    return replace(summary, events=events, seconds={**screen.durations, "all": time.monotonic() - began})


def _show_first(environment: Environment, screen: Screen, make: EngineMaker) -> None:
    """What a person is to agree to, on standard error as the question. Raises FreeholdError where a policy forbids it.

    It costs a preview more than the update's own, so that nothing is held while somebody reads.
    """
    from cli.opening import build_archive
    from cli.plan import Plan, show_plan

    build_archive(environment, screen)
    with screen.step(f"preview {environment.cell}") as step:
        plan = Plan.of(environment.cell, make(environment.stack, step.observe).preview())
        step.result = str(plan)
    show_plan(plan, stderr=True)


def _require_blueprint(environment: Environment, name: str | None) -> None:
    """Raises UsageError where NAME is not what the environment is configured to be."""
    from catalog import blueprints

    if name is None:
        return
    if name not in blueprints.names():
        raise UsageError(f"there is no blueprint {name!r}", mend=f"choose one of {', '.join(blueprints.names())}")
    if (configured := environment.config("blueprint") or "chronos-cloud") != name:
        mend = f"set freehold:blueprint in Pulumi.{environment.cell}.yaml"
        raise UsageError(f"{environment.cell} is configured for {configured}, not {name}", mend=mend)


def _examples(
    environment: Environment, contract: PlatformContract, database: sa.Engine, screen: Screen, interrupts: Interrupts
) -> tuple[Mapping[str, Outcome], Sequence[Outcome]]:
    """Have the example tenants of a rehearsal built, through the queue as any other. Returns what was run now by
    stack, and the last runs of those that are as they shall be. One that was deleted stays deleted."""
    from catalog.identifiers import tenant_stack
    from cli.following import Follower
    from cli.opening import start_runner
    from fleet.interrupts import Interrupted
    from fleet.outcomes import Outcome
    from fleet.queue_view import QueueView
    from fleet.tenant_requests import Requests
    from fleet.wishes import Wishes

    start_runner(environment)
    view = QueueView(database)
    limit = environment.tenants_maximum
    wishes = Wishes(environment.cell, contract.product, contract.region, limit, environment.options)
    requests = Requests(database, wishes)
    follower = Follower(environment, view, screen, interrupts)

    def follow(asked: Operation) -> Operation:
        with screen.step(f"tenant {asked.tenant}") as step:
            return follower.follow(asked, step)

    asked = {name: operation_for(name, plan, database, requests) for name, plan in EXAMPLES.items()}
    # Counted, for an exception would reach this thread alone, and wait for the others.
    with interrupts.caught(screen.tell), ThreadPoolExecutor(len(asked)) as pool:
        runs = [pool.submit(follow, one) for one in asked.values() if one is not None]
    done = [run.result() for run in runs]  # the first failure is raised when all have ended
    if interrupts.count:  # they had all ended by then
        raise Interrupted(f"environment {environment.cell}")
    changed = {tenant_stack(environment.cell, one.tenant): Outcome.read(one.result or {}) for one in done}
    earlier = [view.last_success(name) for name, one in asked.items() if one is None]
    return changed, [Outcome.read(one.result or {}) for one in earlier if one is not None]


def operation_for(name: str, plan: str, database: sa.Engine, requests: Requests) -> Operation | None:
    """The operation that makes the tenant or brings it up to date; None where there is nothing to do."""
    from cli.following import requester
    from fleet.program import program_version
    from fleet.queue import BUILDS
    from fleet.queue_view import QueueView
    from fleet.registry import Registry
    from fleet.tenant_requests import Asker
    from fleet.wishes import Request

    key, view = f"example:{name}", QueueView(database)
    row = Registry(database).get(name)
    if row is None and view.by_key(key) is None:
        return requests.create(Request(name, plan, name=name.replace("-", " ").title()), Asker(requester(), key))
    latest = view.latest(name)
    if latest is not None and not latest.ended and latest.kind in BUILDS:
        return requests.at_once(latest)  # who starts it again has mended what it failed of
    if row is None or not row.due(program_version()):
        return None
    return requests.update(name, Asker(requester()))
