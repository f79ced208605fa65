"""Getting at an environment: the sandbox is started if need be, real credentials are shown and checked."""

from __future__ import annotations

from typing import Protocol

from cli.output import Screen
from errors import FreeholdError
from fleet.engine import Engine
from fleet.engine_process import Observer
from fleet.environments import POLICIES, Environment, real, require_known_account, require_real_shell, sandboxed
from fleet.interrupts import Interrupts
from fleet.program_host.client import ProgramHost
from fleet.stack import Stack
from fleet.state import StackState, read_state
from fleet.targets import Cloud, Target
from sandbox.home import Home


def open_environment(cell: str, target: Target, screen: Screen, *, start: bool) -> Environment:
    """The environment, ready for its engine. With `start` a sandbox that does not run is started."""
    from sandbox.toolchain import ensure

    home = Home.from_environment()
    if target is Target.CLOUD:
        require_real_shell(home)
        ensure(("pulumi", "pulumi-language-python"))
        environment = real(cell, home)
        environment.file  # noqa: B018 - a malformed one is told before anything else happens
        return environment
    from sandbox.providers.choice import require_unchanged
    from sandbox.supervisor.client import Supervisor

    if start:
        ensure()
        _start(home, screen)
    else:
        Supervisor.connect(home)
    require_unchanged(home)
    return sandboxed(cell, home)


def _start(home: Home, screen: Screen) -> None:
    from sandbox.processes.runner import KIND
    from sandbox.supervisor.client import NotRunning, Supervisor
    from sandbox.supervisor.launch import start

    try:
        if Supervisor.connect(home).status().state == "ready":
            return
    except NotRunning:
        pass
    with screen.step("sandbox") as step:
        _, started = start(
            home,
            progress=lambda status: step.doing(", ".join(one.name for one in status.processes if one.state != "ready")),
            without=(KIND,),  # one that was given up is replaced where one is needed: see `start_runner`
        )
        step.result = "started" if started else "ready"


def start_runner(environment: Environment) -> None:
    """In the sandbox: have a runner of this program's version do the cell's operations."""
    from fleet.program import runner_version
    from sandbox.supervisor.client import Supervisor

    if environment.target is Target.SANDBOX:
        Supervisor.connect(environment.home).start_runner(environment.cell, runner_version())


def platform_state(environment: Environment) -> StackState | None:
    """The state of the environment's platform stack."""
    stack = environment.stack
    return read_state(stack.project, stack.name, stack.environment, stack.workdir)


def check_account(environment: Environment, state: StackState | None, screen: Screen) -> None:
    """In the cloud: say which account and region, and refuse an account that the state does not know. Raises UsageError
    for a region that is none, which would look like missing credentials."""
    if environment.target is not Target.CLOUD:
        return
    from botocore.exceptions import BotoCoreError, ClientError

    from fleet.cloud import client, may_pass

    region, where = environment.region, f"environment {environment.cell}"
    try:
        identity = client("sts", region, environment.engine).get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        if may_pass(error):
            mend = f"look at the network and its proxy, and whether {region} is right (freehold:region)"
            raise FreeholdError(f"AWS does not answer: {error}", where=where, mend=mend) from None
        mend = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        raise FreeholdError(f"no usable credentials: {error}", where=where, mend=mend) from None
    screen.tell(f"account {identity['Account']}, region {region}, as {identity['Arn']}")
    require_known_account(environment, state, str(identity["Account"]))


def build_archive(environment: Environment, screen: Screen) -> None:
    """Build what the platform's program only finds: the archive of the billing webhook, where the file asks for one."""
    chosen = environment.config("billing")
    if not chosen or not isinstance(chosen, dict):
        return
    from stacks import billing_archive

    authority = chosen.get("authority")
    with screen.step("archive of the billing webhook"):
        billing_archive.build(authority if isinstance(authority, str) else None)


class EngineMaker(Protocol):
    def __call__(self, stack: Stack, observe: Observer | None = None) -> Engine: ...


def platform_program(cell: str, cloud: Cloud) -> ProgramHost:
    """The platform's program, whose import begins now, beside whatever comes before its first run."""
    log = Home.from_environment().logs / f"program-{cell}.log"
    programs = ProgramHost("stacks.preload", "platform", str(cloud), log=log, policies=True)
    programs.start()
    return programs


def engine_maker(
    environment: Environment,
    screen: Screen,
    interrupts: Interrupts,
    wait: float,
    programs: ProgramHost | None = None,
) -> EngineMaker:
    """Makes engines that run under the policies, and tell and show on `screen`."""

    def make(stack: Stack, observe: Observer | None = None) -> Engine:
        return Engine(
            environment.home,
            stack,
            tell=screen.tell,
            observe=observe,
            interrupts=interrupts,
            policies=POLICIES,
            wait=wait,
            programs=programs,
        )

    return make
