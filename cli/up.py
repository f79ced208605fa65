"""`freehold up`: an environment's platform and, in a rehearsal, two tenants."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
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
from errors import FreeholdError, UsageError
from fleet.targets import Cloud, Target

if TYPE_CHECKING:
    from cli.opening import EngineMaker
    from cli.summary import Summary
    from fleet.engine import Result
    from fleet.environments import Environment
    from fleet.registry import Registry, Tenant
    from fleet.tenants import Tenants
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
    """Build ENV, or bring it up to date: the sandbox if need be, the platform under the policies, the tenants.

    Ends with what is there now, read from the running services. A second run changes nothing and says so.
    Killed anywhere, it goes on from there when it is run again.
    """
    from cli.opening import open_environment
    from cli.summary import show, show_next
    from fleet.environments import choose

    cell, chosen = choose(env, target, cloud)
    with Screen() as screen:
        environment = open_environment(cell, chosen, screen, start=True)
        _require_blueprint(environment, blueprint)
        summary = _build(environment, screen, wait, yes=yes)
    if as_json:
        show_json(summary.as_json())
    else:
        show(summary)
        if chosen is Target.SANDBOX:
            show_next(environment)
    if not summary.ok:
        what = "not everything answered as it should"
        raise FreeholdError(what, where=f"environment {cell}", mend="see the lines marked with ! above")


def _build(environment: Environment, screen: Screen, wait: float, *, yes: bool) -> Summary:
    from cli.opening import check_account, engine_maker, platform_state
    from cli.summary import collect
    from fleet.control_database import open_registry
    from fleet.events import tally
    from fleet.interrupts import Interrupted, Interrupts

    began = time.monotonic()
    if environment.target is Target.CLOUD:
        check_account(environment, platform_state(environment), screen)
        confirm(f"Build {environment.cell} in this account?", yes=yes)
    interrupts = Interrupts()
    make = engine_maker(environment, screen, interrupts, wait)
    with interrupts.caught(screen.tell):
        with screen.step(f"platform {environment.cell}") as step:
            platform = make(environment.stack, step.observe).up()
            step.result = tally(platform.progress.changes)
        environment = environment.renewed()  # the databases that it makes are variables from now on
        contract = environment.contract(platform.state)
        registry = open_registry(contract, environment.engine)
        tenants = _tenants(environment, contract, registry, make, screen)
        if interrupts.count:
            raise Interrupted(f"environment {environment.cell}")
    assert platform.state is not None  # an update that succeeded leaves one
    with screen.step("looking at what is there"):
        summary = collect(environment, platform.state, contract, registry, [platform, *tenants])
    return summary.timed({**screen.durations, "all": time.monotonic() - began})


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


def _tenants(
    environment: Environment, contract: PlatformContract, registry: Registry, make: EngineMaker, screen: Screen
) -> Sequence[Result]:
    """Build the example tenants of a rehearsal side by side. One that was deleted stays deleted."""
    from fleet.events import tally
    from fleet.registry import Status
    from fleet.tenants import Tenants

    if environment.target is not Target.SANDBOX:
        return []

    def build(tenant: Tenant) -> Result:
        with screen.step(f"tenant {tenant.id}") as step:
            owner = Tenants(environment, contract.product, contract.region, registry, lambda s: make(s, step.observe))
            _, result = owner.build(tenant)
            step.result = tally(result.progress.changes)
        return result

    owner = Tenants(environment, contract.product, contract.region, registry, make)
    wanted = [_ensure(owner, identity, plan) for identity, plan in EXAMPLES.items()]
    building = [one for one in wanted if one.status not in (Status.DELETING, Status.DELETED)]
    if not building:
        return []
    with ThreadPoolExecutor(len(building)) as pool:
        runs = [pool.submit(build, tenant) for tenant in building]
    return [run.result() for run in runs]  # the first failure is raised when all have ended


def _ensure(owner: Tenants, identity: str, plan: str) -> Tenant:
    """The tenant's row, made if there is none yet."""
    from fleet.tenants import Request

    if (found := owner.registry.get(identity)) is not None:
        return found
    try:
        return owner.add(Request(identity, plan, name=identity.replace("-", " ").title()))
    except UsageError:
        # Another `up` made it in this moment.
        if (found := owner.registry.get(identity)) is None:
            raise
        return found
