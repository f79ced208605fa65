"""`freehold up` killed at several points: the next one goes on from there, nothing is lost and nothing made twice."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator

import psutil
import pytest

from errors import FreeholdError
from fleet.state import StackState, read_state
from sandbox.home import CHECKOUT
from sandbox.supervisor.client import Supervisor
from sandbox.supervisor.messages import ProcessStatus
from tests.rehearsal.freehold import Freehold, stack_path, until
from tests.rehearsal.inventory import differences
from tests.temporary_sandbox import temporary_sandbox

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(3000)]

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


def creating(freehold: Freehold, kind: str, stack: str = "sandbox") -> Callable[[], bool]:
    """Whether the engine is creating a resource of this type now."""
    return lambda: any(
        operation.kind == "creating" and f"{kind}::" in operation.urn for operation in state(freehold, stack).pending
    )


def kill_command_and_engine(freehold: Freehold, command: subprocess.Popen[str]) -> None:
    """What a power cut would do, but for the sandbox's servers: the command, the runner and the engines at once."""
    processes = Supervisor.connect(freehold.home).status().processes
    runners = [one.pid for one in processes if one.kind == "runner" and one.pid is not None]
    for process in [psutil.Process(command.pid), *map(psutil.Process, runners), *freehold.engines()]:
        try:
            process.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue


def kill_command(freehold: Freehold, command: subprocess.Popen[str]) -> None:
    os.kill(command.pid, signal.SIGKILL)


def test_killed_again_and_again(freehold: Freehold) -> None:
    points: tuple[tuple[Callable[[], bool], Callable[[Freehold, subprocess.Popen[str]], None]], ...] = (
        (creating(freehold, "aws:ec2/subnet:Subnet"), kill_command_and_engine),
        (creating(freehold, "aws:eks/cluster:Cluster"), kill_command_and_engine),
        (creating(freehold, "aws:rds/instance:Instance"), kill_command),
        (creating(freehold, "aws:eks/nodeGroup:NodeGroup"), kill_command_and_engine),
        (creating(freehold, "kubernetes:core/v1:Namespace", STACKS[1]), kill_command_and_engine),
        (creating(freehold, "kubernetes:apps/v1:Deployment", STACKS[2]), kill_command_and_engine),
    )
    for reached, kill in points:
        with freehold.start("up") as command:
            until(lambda: reached() or command.poll() is not None)  # noqa: B023 - called within this turn
            assert command.poll() is None, f"it had ended: {command.communicate()}"
            kill(freehold, command)
            command.communicate()
    freehold.ok("up")
    logs = (freehold.home.logs / "runner-sandbox.log").read_text()
    assert "an earlier run was cut off" in logs
    assert not freehold.engines()
    assert differences(freehold, STACKS) == []
    assert all(state(freehold, stack).pending == () for stack in STACKS)
    assert "Nothing changed" in freehold.ok("up").stdout
    # The states say what is there: reading everything anew finds no difference.
    refresh = freehold.by_hand("pulumi refresh -s sandbox --yes --skip-preview --expect-no-changes --non-interactive")
    assert refresh.returncode == 0, refresh.stdout + refresh.stderr


def test_servers_killed_under_it(freehold: Freehold) -> None:
    """The AWS endpoint while databases are made, then the API server while a tenant is."""
    points = (("moto", "aws:rds/instance:Instance", STACKS[0]), ("kube-apiserver", "core/v1:Namespace", STACKS[1]))
    supervisor = Supervisor.connect(freehold.home)

    def process(kind: str) -> ProcessStatus:
        (found,) = (one for one in supervisor.status().processes if one.kind == kind)
        return found

    with freehold.start("up") as command:
        for kind, resource, stack in points:
            until(lambda: creating(freehold, resource, stack)() or command.poll() is not None)  # noqa: B023
            assert command.poll() is None, f"it had ended: {command.communicate()}"
            killed = process(kind).pid
            assert killed is not None
            os.kill(killed, signal.SIGKILL)
            until(lambda: process(kind).state == "ready" and process(kind).pid != killed)  # noqa: B023
        stderr = command.communicate(timeout=900)[1]
    if command.returncode != 0:  # then it says so in one line, and the next one finishes
        assert stderr.splitlines()[-1].startswith("freehold: ")
        assert "Traceback" not in stderr
    freehold.ok("up")
    assert differences(freehold, STACKS) == []
    assert "Nothing changed" in freehold.ok("up").stdout


def test_stop_after_a_kill_leaves_no_process(freehold: Freehold) -> None:
    with freehold.start("up") as command:
        until(creating(freehold, "aws:ec2/subnet:Subnet"))
        kill_command(freehold, command)
        command.communicate()
    assert freehold.engines()
    freehold.ok("sandbox", "stop")
    assert not freehold.engines()
    assert not [process for process in psutil.process_iter(["cmdline"])
                if any(str(freehold.home.root) in word for word in process.info["cmdline"] or ())]  # fmt: skip
    assert stack_path(freehold.home).exists()
