"""A create whose provider died in the middle of it, and that nothing asks for any more, is not left behind unsaid."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from errors import FreeholdError, TransientError
from fleet.cloud import client
from fleet.engine import Engine
from fleet.stack import Stack
from fleet.state import read_state
from sandbox.environment import environment
from sandbox.providers.creations import Creations
from sandbox.supervisor.messages import ProcessStatus
from tests.rehearsal.cheap_tenants import PROJECT, prepare
from tests.rehearsal.engine import sdks
from tests.rehearsal.freehold import until
from tests.temporary_sandbox import Sandbox, temporary_sandbox

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(600)]

TENANT = "acme"
URN = f"urn:pulumi:{TENANT}::{PROJECT}::aws:ec2/eip:Eip::address-0"


@dataclass(frozen=True)
class Addresses:
    """A stack of any number of addresses, in a sandbox that is killed about in."""

    sandbox: Sandbox

    def engine(self, count: int) -> Engine:
        home = self.sandbox.home
        variables = {**environment(home), "TENANT": TENANT, "COUNT": str(count)}
        stack = Stack(PROJECT, TENANT, home.tenants / TENANT, variables)
        return Engine(home, stack, tell=print, programs=sdks())

    def exist(self) -> set[str]:
        """As EC2 has them."""
        ec2 = client("ec2", "us-east-1", environment(self.sandbox.home))
        return {one["AllocationId"] for one in ec2.describe_addresses()["Addresses"]}

    def held(self) -> set[str]:
        """As the state has them."""
        home = self.sandbox.home
        state = read_state(PROJECT, TENANT, environment(home), home.tenants / TENANT)
        return {str(one["id"]) for one in state.managed} if state is not None else set()

    def process(self, kind: str) -> ProcessStatus:
        (found,) = (one for one in self.sandbox.supervisor.status().processes if one.kind == kind)
        return found

    def cut_off_a_create(self) -> None:
        """Have the provider host killed when it has asked EC2 for an address and has no answer yet."""
        aws, host = self.process("moto").pid, self.process("provider-host").pid
        assert aws is not None
        assert host is not None

        def kill() -> None:
            with Creations(self.sandbox.home) as creations:
                until(lambda: creations.under_way(URN))
            # The request is sent once nothing of the host's stands before it in the endpoint's queue.
            until(lambda: requested(aws, host))
            os.kill(host, signal.SIGKILL)
            until(lambda: self.process("provider-host").pid not in (host, None))
            os.kill(aws, signal.SIGCONT)

        os.kill(aws, signal.SIGSTOP)
        thread = threading.Thread(target=kill)
        thread.start()
        try:
            with pytest.raises(TransientError):
                self.engine(1).up()
        finally:
            thread.join()
        until(lambda: bool(self.exist()))
        until(lambda: self.process("provider-host").state == "ready")


def requested(pid: int, client: int) -> bool:
    """Whether a connection of `client` to this process holds bytes that it has not read."""
    import psutil

    ports = {one.laddr.port for one in psutil.Process(pid).net_connections() if one.status == psutil.CONN_LISTEN}
    # The client's alone: the supervisor asks for health.
    clients = {one.laddr.port for one in psutil.Process(client).net_connections() if one.raddr}
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    # https://docs.kernel.org/networking/proc_net_tcp.html: local, remote, state (01: established), tx:rx queue
    return any(
        int(row[1].split(":")[1], 16) in ports
        and int(row[2].split(":")[1], 16) in clients
        and row[3] == "01"
        and int(row[4].split(":")[1], 16) > 0
        for row in rows
    )


@pytest.fixture(scope="module")
def addresses() -> Iterator[Addresses]:
    """Each test leaves none."""
    with temporary_sandbox() as sandbox:
        prepare(sandbox.home, TENANT)
        yield Addresses(sandbox)


def test_a_create_that_is_given_up_after_its_provider_died_is_told_once_and_can_be_taken_over(
    addresses: Addresses,
) -> None:
    addresses.engine(0).up()
    addresses.cut_off_a_create()
    (orphan,) = addresses.exist()
    assert addresses.held() == set()
    with pytest.raises(
        FreeholdError, match="the provider died while it made address-0, which nothing asks for"
    ) as told:
        addresses.engine(0).up()
    assert not isinstance(told.value, TransientError)
    addresses.engine(0).up()  # it was told
    addresses.engine(2).up()
    assert orphan in addresses.held()
    assert addresses.held() == addresses.exist()
    addresses.engine(0).up()
    assert addresses.exist() == set()


def test_what_was_wanted_then_is_run_once_more_before_something_smaller(addresses: Addresses) -> None:
    addresses.engine(0).up()
    addresses.engine(1).finish_cut_off()  # nothing was cut off
    assert addresses.exist() == set()
    addresses.cut_off_a_create()
    addresses.engine(1).finish_cut_off()
    assert addresses.held() == addresses.exist() != set()
    addresses.engine(0).up()
    assert addresses.exist() == set()


def test_a_create_that_is_asked_for_again_is_nothing_to_tell(addresses: Addresses) -> None:
    addresses.engine(0).up()
    addresses.cut_off_a_create()
    addresses.engine(1).up()
    assert addresses.held() == addresses.exist()
    addresses.engine(0).up()
    assert addresses.exist() == set()
