"""`freehold up` killed at several points: the next one goes on from there, nothing is lost and nothing made twice."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import psutil
import pytest

from errors import FreeholdError
from fleet.state import StackState, read_state
from fleet.state_files import stored
from sandbox.home import CHECKOUT
from sandbox.supervisor.client import NotRunning, Supervisor
from tests.rehearsal.freehold import Freehold, stack_path, until
from tests.rehearsal.inventory import differences
from tests.temporary_sandbox import temporary_sandbox

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(3000)]

Action = Callable[[Freehold, "subprocess.Popen[str]"], None]
STACKS = ("sandbox", "tenant.sandbox.acme", "tenant.sandbox.acme-eu")


@pytest.fixture
def freehold() -> Iterator[Freehold]:
    """A sandbox that is killed about in is nobody else's."""
    with temporary_sandbox() as running:
        yield Freehold(running.home)


def state(freehold: Freehold, stack: str = "sandbox") -> StackState:
    """Empty before there is one; while it is being written, the one before."""
    try:
        found = read_state("freehold", stack, freehold.variables, CHECKOUT)
    except FreeholdError:
        found = None
    return found or StackState()


def begun(freehold: Freehold, kind: str, stack: str) -> bool:
    """Whether the engine is creating a resource of this type now, or has made one already."""
    try:
        content = stored(stack_path(freehold.home, stack))
    except FileNotFoundError:
        return False
    return f"{kind}::".encode() in content  # asked too often to read it as JSON


def frozen_at_work(freehold: Freehold) -> bool:
    """Stops the engines where they are at something; False, and they go on, where a state says that they are not."""
    engines = freehold.engines()
    _signal(engines, signal.SIGSTOP)
    if not engines or any(state(freehold, stack).pending for stack in STACKS):
        return True
    _signal(engines, signal.SIGCONT)
    return False


def _signal(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue


def kill_command_and_engine(freehold: Freehold, command: subprocess.Popen[str]) -> None:
    """What a power cut would do, but for the sandbox's servers: the command, the runner and the engines at once, in the
    middle of a resource."""
    until(lambda: frozen_at_work(freehold))
    processes = Supervisor.connect(freehold.home).status().processes
    runners = [one.pid for one in processes if one.kind == "runner" and one.pid is not None]
    _signal([psutil.Process(command.pid), *map(psutil.Process, runners), *freehold.engines()], signal.SIGKILL)
    command.communicate()


def kill_command(freehold: Freehold, command: subprocess.Popen[str]) -> None:
    """Its engine lives on."""
    os.kill(command.pid, signal.SIGKILL)
    command.communicate()


def kill_command_and_stop(freehold: Freehold, command: subprocess.Popen[str]) -> None:
    """`sandbox stop` then leaves no process behind, the engine's included."""
    kill_command(freehold, command)
    assert freehold.engines()
    freehold.ok("sandbox", "stop")
    assert not freehold.engines()
    assert not [process for process in psutil.process_iter(["cmdline"])
                if any(str(freehold.home.root) in word for word in process.info["cmdline"] or ())]  # fmt: skip
    assert stack_path(freehold.home).exists()


def kill_server(kind: str) -> Action:
    """SIGKILL to a server of the sandbox while `up` runs; returns once it is back."""

    def kill(freehold: Freehold, command: subprocess.Popen[str]) -> None:
        def ready() -> int | None:
            """Its process; after a stop `up` has to start the sandbox first."""
            try:
                processes = Supervisor.connect(freehold.home).status().processes
            except NotRunning:
                return None
            return next((one.pid for one in processes if one.kind == kind and one.state == "ready"), None)

        until(lambda: ready() is not None)
        killed = ready()
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        until(lambda: ready() not in (None, killed))

    return kill


PLATFORM, ACME, ACME_EU = STACKS
POINTS: Sequence[tuple[str, str, Action]] = (
    ("aws:ec2/subnet:Subnet", PLATFORM, kill_command_and_stop),
    ("aws:rds/instance:Instance", PLATFORM, kill_server("moto")),
    ("aws:elasticache/replicationGroup:ReplicationGroup", PLATFORM, kill_command),
    # The cluster is there, and lets nobody in yet.
    ("aws:eks/accessEntry:AccessEntry", PLATFORM, kill_command_and_engine),
    ("aws:eks/nodeGroup:NodeGroup", PLATFORM, kill_command_and_engine),
    ("kubernetes:core/v1:Namespace", ACME, kill_server("kube-apiserver")),
    ("kubernetes:apps/v1:Deployment", ACME_EU, kill_command_and_engine),
)
"""Once a resource of the type is being made in the stack: what happens then, in the order in which `up` gets there."""


def test_killed_again_and_again(freehold: Freehold) -> None:
    command: subprocess.Popen[str] | None = None
    cut_off = ended = 0
    for kind, stack, kill in POINTS:
        if command is None or command.poll() is not None:
            command = freehold.start("up")
        while not begun(freehold, kind, stack):
            if command.poll() is not None:  # a server that was killed under it may have ended it
                told = ended_in_one_line(command)
                ended += 1
                assert ended <= len(POINTS), told  # the next one goes on, and does not end there again
                command = freehold.start("up")
            time.sleep(0.1)
        kill(freehold, command)
        cut_off += kill is kill_command_and_engine and len(state(freehold, stack).pending)
    assert cut_off  # some kill came while the engine was at something
    assert command is not None
    command.communicate()
    freehold.ok("up")
    assert not freehold.engines()
    assert differences(freehold, STACKS) == []
    assert all(freehold.state(stack).pending == () for stack in STACKS)
    # The states say what is there: reading everything anew finds no difference.
    refresh = freehold.by_hand("pulumi refresh -s sandbox --yes --skip-preview --expect-no-changes --non-interactive")
    assert refresh.returncode == 0, refresh.stdout + refresh.stderr


def ended_in_one_line(command: subprocess.Popen[str]) -> str:
    """The line."""
    stderr = command.communicate()[1]
    assert command.returncode == 1, stderr
    assert stderr.splitlines()[-1].startswith("freehold: ")
    assert "Traceback" not in stderr
    return stderr.splitlines()[-1]
