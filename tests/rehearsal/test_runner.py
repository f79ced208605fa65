"""The runner killed about in: the next run finishes the work, nothing is lost, nothing made twice, no lock is left."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil
import pytest
import sqlalchemy as sa

from fleet import migrations, registry
from fleet.backend_locks import backend_locks
from fleet.cloud import client
from fleet.operations import Kind, State, enqueue
from fleet.processes import RUN_VARIABLE
from fleet.queue_view import QueueView
from fleet.registry import Registry
from fleet.state import StackState, read_state
from sandbox.environment import environment
from sandbox.home import CHECKOUT
from tests.fleet.samples import wanted
from tests.rehearsal.cheap_tenants import CELL, PROJECT, prepare
from tests.rehearsal.freehold import until
from tests.temporary_sandbox import Sandbox, temporary_sandbox

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(600)]

TENANTS = ("acme", "beta", "zeta")
# The supervisor gives a process up that dies more often than six times in two minutes.
POINTS = ("runner",) * 12 + ("engine",) * 13 + ("provider host",) * 5


@dataclass
class Cheap:
    """A sandbox of its own with a control database, three cheap tenants, and a runner that can be killed."""

    sandbox: Sandbox
    url: sa.URL
    database: sa.Engine
    log: IO[str]
    process: subprocess.Popen[str] | None = None
    asked: Counter[str] = field(default_factory=Counter)

    @property
    def view(self) -> QueueView:
        return QueueView(self.database)

    def start_runner(self) -> None:
        url = self.url.render_as_string(hide_password=False)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.rehearsal.cheap_tenants", str(self.sandbox.home.root), url],
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            text=True,
            env={**os.environ, "FREEHOLD_HOME": str(self.sandbox.home.root)},
        )

    def stop_runner(self, number: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(timeout=120)

    def ask(self, tenant: str, addresses: int) -> None:
        """For another number of addresses."""
        self.asked[tenant] += 1
        with self.database.begin() as connection:
            row = registry.lock(connection, tenant)
            wish = wanted(tenant, cell=CELL).model_copy(update={"limits": {"addresses": addresses}})
            registry.want(connection, wish) if row is not None else registry.add(connection, wish)
            enqueue(
                connection,
                tenant,
                Kind.CREATE if row is None else Kind.UPDATE,
                idempotency_key=f"{tenant} {self.asked[tenant]}",
                requester="test",
                correlation_id=f"{tenant} {self.asked[tenant]}",
            )

    def engines(self) -> list[psutil.Process]:
        """The engines that run now, without what they started."""
        found = []
        for process in psutil.process_iter():
            try:
                variables = process.environ()
                ours = variables.get("FREEHOLD_HOME") == str(self.sandbox.home.root) and RUN_VARIABLE in variables
                if ours and process.name() == "pulumi" and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def state(self, tenant: str) -> StackState:
        found = read_state(PROJECT, tenant, environment(self.sandbox.home), CHECKOUT)
        return found or StackState()

    def addresses(self, tenant: str) -> set[str]:
        """As EC2 has them."""
        ec2 = client("ec2", "us-east-1", environment(self.sandbox.home))
        found = ec2.describe_addresses(Filters=[{"Name": "tag:tenant", "Values": [tenant]}])["Addresses"]
        return {one["AllocationId"] for one in found}

    def settled(self) -> bool:
        return not self.view.open(CELL)


@pytest.fixture(scope="module")
def cheap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cheap]:
    log = tmp_path_factory.mktemp("runner") / "runner.log"
    with temporary_sandbox() as sandbox, log.open("a+") as output:
        made = sandbox.supervisor.create_database(
            "queue", username="admin", password="right-and-long", database="queue"
        )
        query = {"sslmode": "verify-full", "sslrootcert": str(made.certificate_authority_path)}
        url = sa.URL.create(
            "postgresql+psycopg", "admin", "right-and-long", made.host, made.port, made.database, query=query
        )
        engine = sa.create_engine(url, pool_pre_ping=True)
        with engine.begin() as connection:
            migrations.upgrade(connection)
        for tenant in TENANTS:
            prepare(sandbox.home, tenant)
        running = Cheap(sandbox, url, engine, output)
        try:
            yield running
        finally:
            if running.process is not None and running.process.poll() is None:
                running.stop_runner(signal.SIGTERM)
            engine.dispose()
            print(log.read_text()[-20_000:])


def require_whole(cheap: Cheap, addresses: int) -> None:
    """What exists is what the states hold is what was wanted; nothing is pending, locked or running."""
    assert cheap.view.failing(CELL) == []
    for tenant in TENANTS:
        state = cheap.state(tenant)
        ids = [str(one["id"]) for one in state.managed]
        assert cheap.addresses(tenant) == set(ids), f"{tenant}: what exists and what the state holds"
        assert len(ids) == len(set(ids)) == addresses
        assert len({one["urn"] for one in state.resources}) == len(state.resources)
        assert state.pending == ()
        assert backend_locks(cheap.sandbox.home.backend, PROJECT, tenant) == []
        row = Registry(cheap.database).get(tenant)
        assert row is not None
        assert row.settled
        assert row.last_error is None
    assert cheap.engines() == []


def test_killed_at_thirty_points(cheap: Cheap) -> None:
    seed = int(os.environ.get("FREEHOLD_TEST_SEED") or random.randrange(2**32))
    print(f"FREEHOLD_TEST_SEED={seed}")
    chance = random.Random(seed)
    points = list(POINTS)
    chance.shuffle(points)
    supervisor = cheap.sandbox.supervisor

    def kill_runner() -> None:
        cheap.stop_runner(signal.SIGKILL)
        cheap.start_runner()

    def ask_idle_tenants() -> None:
        for tenant in TENANTS:
            if not any(one.tenant == tenant for one in cheap.view.open(CELL)):
                cheap.ask(tenant, chance.choice((2, 4, 6)))

    def an_engine_runs() -> bool:
        ask_idle_tenants()  # what was asked before may have ended meanwhile
        return bool(cheap.engines())

    def kill_engine() -> None:
        until(an_engine_runs)
        for victim in cheap.engines()[:1]:
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.kill()

    def kill_provider_host() -> None:
        (host,) = (one for one in supervisor.status().processes if one.kind == "provider-host")
        if host.pid is not None:
            os.kill(host.pid, signal.SIGKILL)

    kills: dict[str, Callable[[], None]] = {
        "runner": kill_runner, "engine": kill_engine, "provider host": kill_provider_host
    }  # fmt: skip
    cheap.start_runner()
    began = time.monotonic()
    for number, point in enumerate(points):
        ask_idle_tenants()
        if point != "runner":
            until(an_engine_runs)
        time.sleep(chance.uniform(0, 1))
        print(f"{time.monotonic() - began:.1f} s: kill {number + 1}: {point}", flush=True)
        kills[point]()
    for tenant in TENANTS:
        cheap.ask(tenant, 5)
    until(cheap.settled, 120)
    print(f"{time.monotonic() - began:.1f} s: settled", flush=True)
    require_whole(cheap, 5)
    assert cheap.stop_runner(signal.SIGTERM) == 0
    assert cheap.view.backlog(CELL).queued == 0
    with cheap.database.connect() as connection:
        takeovers = connection.scalar(sa.text("SELECT sum(takeovers) FROM operations"))
        failures = connection.scalar(sa.text("SELECT sum(failures) FROM operations"))
    print(f"{takeovers} takeovers, {failures} failures that passed")
    assert takeovers
    assert failures


def _freeze(cheap: Cheap, into: set[psutil.Process]) -> bool:
    """Stops the engines that run now, and gathers them; whether one of them stands still, and has not just ended."""
    for engine in cheap.engines():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            if os.getsid(engine.pid) == engine.pid:  # not what it forks, which has its name at first
                engine.suspend()
                into.add(engine)
    return any(engine.is_running() and engine.status() == psutil.STATUS_STOPPED for engine in into)


def _told_to_stop(engine: psutil.Process) -> bool:
    """Whether a SIGINT waits for it, where it did not end meanwhile."""
    try:
        status = Path(f"/proc/{engine.pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    pending = re.search(r"^ShdPnd:\s*(\w+)$", status, re.MULTILINE)
    assert pending is not None
    return bool(int(pending[1], 16) & 1 << (signal.SIGINT - 1))


def test_a_runner_that_is_told_to_stop_hands_back_what_it_has(cheap: Cheap) -> None:
    cheap.start_runner()
    for tenant in TENANTS:
        cheap.ask(tenant, 11)
    frozen: set[psutil.Process] = set()
    until(lambda: _freeze(cheap, frozen))  # else they may be done within the grace
    assert cheap.process is not None
    cheap.process.send_signal(signal.SIGTERM)
    until(lambda: all(_told_to_stop(engine) for engine in frozen if engine.is_running()))
    for engine in frozen:
        with contextlib.suppress(psutil.NoSuchProcess):
            engine.resume()
    assert cheap.process.wait(timeout=120) == 0
    assert cheap.engines() == []
    waiting = cheap.view.open(CELL)
    assert waiting
    assert {(one.state, one.lease_holder, one.failures) for one in waiting} == {(State.QUEUED, None, 0)}
    for tenant in TENANTS:
        assert cheap.addresses(tenant) == {str(one["id"]) for one in cheap.state(tenant).managed}
    cheap.start_runner()
    until(cheap.settled, 120)
    require_whole(cheap, 11)
