"""Tenants whose stack is a few addresses, and a runner for them: `python -m tests.rehearsal.cheap_tenants HOME URL`.

An address is allocated anew by each create, so one that is made twice, or forgotten, shows.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import sys
from pathlib import Path

import sqlalchemy as sa

from fleet import registry
from fleet.backoff import Backoff
from fleet.engine import Engine
from fleet.engine_runs import end_orphans
from fleet.outcomes import Outcome
from fleet.program_host.client import ProgramHost
from fleet.queue import Queue
from fleet.registry import Registry
from fleet.runner.loop import Pace, Runner
from fleet.runner.running import Done, Run
from fleet.stack import Stack
from sandbox.environment import environment
from sandbox.files import write_atomically
from sandbox.home import Home
from services.logs import configure

CELL = "cheap"
PROJECT = "cheap"
# The grace is long: on a busy machine an engine takes its time to end the steps in hand, and is not to be cut off.
PACE = Pace(
    concurrency=3,
    lease=1.5,
    heartbeat=0.3,
    poll=0.1,
    drain=1.0,
    grace=90.0,
    backoff=Backoff(first=0.2, longest=1.0, limit=200),
)

# Without the SDK's classes, whose import takes longer than all the rest.
_PROGRAM = """
import os
import pulumi


class Address(pulumi.CustomResource):
    def __init__(self, name, opts=None):
        tags = {"tenant": os.environ["TENANT"], "name": name}
        super().__init__("aws:ec2/eip:Eip", name, {"domain": "vpc", "tags": tags}, opts)


last = None
for number in range(int(os.environ["COUNT"])):
    # Two by two, so that a run has several moments to be cut off in.
    depends = [last] if last is not None and number % 2 == 0 else []
    last = Address(f"address-{number}", pulumi.ResourceOptions(depends_on=depends))
"""


def prepare(home: Home, tenant: str) -> None:
    """The tenant's working folder."""
    folder = home.tenants / tenant
    folder.mkdir(parents=True)
    runtime = {"name": "python", "options": {"virtualenv": sys.prefix}}
    (folder / "Pulumi.yaml").write_text(json.dumps({"name": PROJECT, "runtime": runtime}))
    (folder / f"Pulumi.{tenant}.yaml").write_text(json.dumps({"config": {"aws:region": "us-east-1"}}))
    (folder / "__main__.py").write_text(_PROGRAM)


class CheapWork:
    """Brings a tenant to the number of addresses that its row wants."""

    def __init__(self, home: Home, tenants: Registry, programs: ProgramHost) -> None:
        self._home, self._registry, self._programs = home, tenants, programs

    def __call__(self, run: Run) -> Done:
        tenant = self._registry.get(run.operation.tenant)
        assert tenant is not None
        count = str(tenant.limits["addresses"])
        # Stands for the configuration that the last run of a real tenant leaves in its folder.
        last = self._home.tenants / tenant.id / "count"
        if last.exists() and (earlier := last.read_text()) != count:
            self._engine(run, tenant.id, earlier).finish_cut_off()
        write_atomically(last, count.encode(), 0o600)
        result = self._engine(run, tenant.id, count).up()

        def record(connection: sa.Connection) -> None:
            registry.applied(connection, tenant.id, tenant.desired_hash, "0.1.0")

        return Done(Outcome.of(result).as_json(), record)

    def _engine(self, run: Run, tenant: str, count: str) -> Engine:
        variables = {"TENANT": tenant, "COUNT": count}
        stack = Stack(PROJECT, tenant, self._home.tenants / tenant, {**environment(self._home), **variables})
        return Engine(
            self._home,
            stack,
            tell=run.tell,
            observe=run.observe,
            interrupts=run.interrupts,
            wait=5,
            programs=self._programs,
        )


def main() -> None:
    configure("runner")
    home, engine = Home(Path(sys.argv[1])), sa.create_engine(sys.argv[2], pool_pre_ping=True)
    end_orphans(home, print)
    holder = f"{os.getpid()}/{secrets.token_hex(4)}"
    with ProgramHost("tests.rehearsal.plain_sdk", log=home.logs / "programs.log") as programs:
        work = CheapWork(home, Registry(engine), programs)
        runner = Runner(Queue(engine), work, cell=CELL, holder=holder, pace=PACE)
        signal.signal(signal.SIGTERM, lambda number, frame: runner.stop())
        runner.run()
    engine.dispose()


if __name__ == "__main__":
    main()
