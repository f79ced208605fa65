"""`python -m fleet.runner --cell CELL`: one runner, until SIGTERM."""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import FrameType

import sqlalchemy as sa

from errors import FreeholdError
from fleet.control_database import runner_database
from fleet.engine_runs import end_orphans
from fleet.environments import Environment, real, sandboxed
from fleet.program_host.client import ProgramHost
from fleet.queue import SOON_SECONDS, Queue
from fleet.registry import Registry
from fleet.runner.health import Health, served
from fleet.runner.loop import Pace, Runner
from fleet.runner.work import TenantWork
from fleet.state import read_state
from fleet.targets import Target
from sandbox.home import Home
from services.logs import configure, logger

_log = logger(__name__)

_OPEN_PAUSE_SECONDS = 2.0


class Process:
    """Opens the cell and runs, and opens it anew when its database has gone somewhere else."""

    def __init__(self, home: Home, cell: str, target: Target, pace: Pace, alive: Path, health: Health) -> None:
        self._home, self._cell, self._target, self._pace = home, cell, target, pace
        self._alive, self._health = alive, health
        self._runner: Runner | None = None
        self._stopping = False

    def stop(self, number: int, frame: FrameType | None) -> None:
        """SIGTERM or SIGINT."""
        self._stopping = True
        if self._runner is not None:
            self._runner.stop()

    def run(self) -> None:
        end_orphans(self._home, lambda line: _log.info("cleaned-up", line=line))
        while not self._stopping:
            self._beat()
            try:
                self._run_once()
            except (FreeholdError, sa.exc.SQLAlchemyError) as error:
                line = error.line() if isinstance(error, FreeholdError) else str(error).splitlines()[0]
                _log.warning("cell-does-not-answer", cell=self._cell, error=line)
                time.sleep(_OPEN_PAUSE_SECONDS)

    def _run_once(self) -> None:
        environment = self._environment()
        stack = environment.stack
        contract = environment.contract(read_state(stack.project, stack.name, stack.environment, stack.workdir))
        # Each operation writes while its lease is renewed; the loop claims; somebody asks for the queue's state.
        connections = 2 * self._pace.concurrency + 2
        engine = runner_database(contract, environment.engine, connections=connections)
        try:
            holder = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"
            self._health.opened(engine)
            log = self._home.logs / f"program-{self._cell}-tenants.log"
            cloud = str(environment.config("cloud") or "aws")
            with ProgramHost("stacks.preload", "tenant", cloud, log=log, policies=True) as programs:
                work = TenantWork(environment, Registry(engine), programs)
                self._runner = Runner(
                    Queue(engine), work, cell=self._cell, holder=holder, pace=self._pace, beat=self._beat
                )
                if self._stopping:
                    return
                _log.info("ready", cell=self._cell, holder=holder, concurrency=self._pace.concurrency)
                self._runner.run()
        finally:
            self._runner = None
            self._health.opened(None)
            engine.dispose()

    def _environment(self) -> Environment:
        opened = sandboxed if self._target is Target.SANDBOX else real
        return opened(self._cell, self._home)

    def _beat(self) -> None:
        self._alive.touch()
        self._health.beat()


def main() -> int:
    standard = Pace()
    parser = argparse.ArgumentParser(prog="fleet.runner", description=__doc__)
    parser.add_argument("--cell", required=True, help="the cell whose tenants it works for")
    parser.add_argument("--target", type=Target, choices=list(Target), default=Target.CLOUD)
    parser.add_argument("--concurrency", type=int, default=standard.concurrency, help="operations side by side")
    parser.add_argument("--lease", type=float, default=standard.lease, metavar="SECONDS")
    parser.add_argument("--heartbeat", type=float, default=standard.heartbeat, metavar="SECONDS")
    parser.add_argument("--poll", type=float, default=standard.poll, metavar="SECONDS")
    parser.add_argument(
        "--drain", type=float, default=standard.drain, metavar="SECONDS", help="what runs gets to end after a stop"
    )
    parser.add_argument(
        "--grace", type=float, default=standard.grace, metavar="SECONDS", help="what its engines then get to stop"
    )
    parser.add_argument(
        "--longest", type=float, default=standard.longest, metavar="SECONDS", help="an operation is stopped after that"
    )
    parser.add_argument(
        "--failures",
        type=int,
        default=standard.backoff.limit,
        metavar="NUMBER",
        help="so many that may pass by themselves, and an operation is given up",
    )
    parser.add_argument("--alive", type=Path, help="a file that is touched while it lives, for a health check")
    parser.add_argument("--host", default="127.0.0.1", help="where /healthz, /readyz and /metrics are")
    parser.add_argument("--port", type=int, help="their port, 0 for any; left out, they are not served")
    options = parser.parse_args()
    if options.lease > SOON_SECONDS:
        parser.error(f"--lease: at most {SOON_SECONDS:.0f} seconds")
    configure("runner")
    home = Home.from_environment()
    pace = Pace(
        concurrency=options.concurrency,
        lease=options.lease,
        heartbeat=options.heartbeat,
        poll=options.poll,
        drain=options.drain,
        grace=options.grace,
        longest=options.longest,
        backoff=replace(standard.backoff, limit=options.failures),
    )
    alive = options.alive or home.run / f"runner-{options.cell}.alive"
    alive.parent.mkdir(parents=True, exist_ok=True)
    health = Health(options.cell)
    process = Process(home, options.cell, options.target, pace, alive, health)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, process.stop)
    if options.port is None:
        process.run()
        return 0
    try:
        with served(health, options.host, options.port) as port:
            _log.info("serves", host=options.host, port=port)
            process.run()
    except FreeholdError as error:
        print(error.line(), file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
