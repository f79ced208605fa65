"""New tenants by the runner against `xargs -P` of `pulumi up`, one for each tenant.

    python -m benchmarks.tenants [--tenants 50] [--batches 2] [--at-once 4] [--no-preview]

Each batch starts a sandbox of its own with a platform, and makes as many tenants in both ways, turn about; half of them
are on starter, half on pro. By hand, a stack is made (`pulumi stack init`) and updated under the policies (`pulumi up
--policy-pack`), which is what an operation does, but that it previews no new stack: with `--no-preview` nobody does.
Their configuration lies there already, the runner writes it. Both run as many at once. The runner serves already, as in
a cell; how long its start took is told too. Prints seconds, the ratio (goal: by the runner three times as fast), and
for both ways where the processors' time went.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.processor_time import Profile
from catalog.identifiers import tenant_stack
from cli.cell import Cell, open_cell
from fleet import tenant_folders, working_folders
from fleet.environments import POLICIES
from fleet.operations import State
from fleet.targets import Target
from fleet.tenant_requests import Asker
from fleet.wishes import Request
from sandbox.home import CHECKOUT, Home
from sandbox.supervisor import pidfile
from sandbox.supervisor.client import Supervisor
from sandbox.supervisor.messages import NodeGroup
from sandbox.toolchain import ensure
from tests.temporary_sandbox import temporary_sandbox, without_chosen_ports

_CELL = "sandbox"
_GOAL = 3.0
_TENANTS_A_NODE = 15
_BY_HAND = """
cd "$1/$2" && stack="$3$2"
{ pulumi stack init "$stack" --no-select --non-interactive &&
  pulumi up --yes --non-interactive --policy-pack "$4" --stack "$stack" $5; } > log 2>&1
"""


@dataclass
class Way:
    """One of the two, over all batches."""

    name: str
    flags: str = ""
    """Of `pulumi up`, where it is by hand."""
    start: float = 0.0
    """Seconds until it served, in all batches."""
    seconds: float = 0.0
    profiles: list[Profile] = field(default_factory=list)

    def report(self, tenants: int) -> None:
        total: dict[str, float] = defaultdict(float)
        for profile in self.profiles:
            for role, seconds in profile.seconds.items():
                total[role] += seconds
        print(f"\n{self.name}: {self.seconds:.1f} s, {self.seconds / tenants:.2f} s a tenant")
        for role, seconds in sorted(total.items(), key=lambda item: -item[1]):
            if seconds / tenants >= 0.005:
                print(f"  {role:34} {seconds / tenants:6.2f} CPU s a tenant")
        print(f"  {'together':34} {sum(total.values()) / tenants:6.2f}")


def requests(prefix: str, count: int) -> list[Request]:
    return [Request(f"{prefix}{number}", "starter" if number % 2 else "pro") for number in range(count)]


def by_runner(cell: Cell, way: Way, wanted: Iterable[Request], at_once: int, roots: Sequence[int]) -> None:
    line = [sys.executable, "-m", "fleet.runner", "--cell", _CELL, "--target", "sandbox"]
    log = cell.environment.home.logs / "benchmark-runner.log"
    began = time.perf_counter()
    with log.open("wb") as out:
        runner = subprocess.Popen([*line, "--concurrency", str(at_once)], cwd=CHECKOUT, stdout=out, stderr=out)
    try:
        while b'"message": "ready"' not in log.read_bytes():
            _require_running(runner, log)
            time.sleep(0.02)
        way.start += time.perf_counter() - began
        with Profile([*roots, runner.pid]) as profile:
            began = time.perf_counter()
            asked = [cell.requests.create(one, Asker("benchmark")) for one in wanted]
            while True:
                now = [found for one in asked if (found := cell.view.get(one.id)) is not None]
                if all(one.ended for one in now):
                    break
                _require_running(runner, log)
                time.sleep(0.2)
            way.seconds += time.perf_counter() - began
    finally:
        runner.terminate()
        runner.wait()
    failed = [one for one in now if one.state is not State.SUCCEEDED]
    if failed:
        raise SystemExit(f"{len(failed)} of {len(now)} operations failed: {failed[0].error}")
    way.profiles.append(profile)


def _require_running(runner: subprocess.Popen[bytes], log: Path) -> None:
    if runner.poll() is not None:
        raise SystemExit(f"the runner ended; see {log}")


def by_hand(cell: Cell, way: Way, wanted: Iterable[Request], at_once: int, roots: Sequence[int]) -> None:
    environment, names = cell.environment, []
    for request in wanted:
        tenant = cell.registry.add(cell.wishes.wanted(request))
        config = tenant_folders.configuration(environment, tenant)
        working_folders.write(tenant_folders.folder(environment, tenant.id), tenant_stack(_CELL, tenant.id), config)
        names.append(tenant.id)
    folder = tenant_folders.folder(environment, names[0]).parent
    prefix = tenant_stack(_CELL, names[0]).removesuffix(names[0])
    line = ["xargs", "-P", str(at_once), "-I", "{}", "sh", "-c", _BY_HAND, "sh", str(folder), "{}", prefix]
    began = time.perf_counter()
    xargs = subprocess.Popen(
        [*line, str(POLICIES), way.flags], env=environment.engine, stdin=subprocess.PIPE, text=True
    )
    with Profile([*roots, xargs.pid]) as profile:
        xargs.communicate("\n".join(names))
    if xargs.returncode != 0:
        logs = [text for name in names if "error:" in (text := (folder / name / "log").read_text())]
        raise SystemExit(f"xargs exited with {xargs.returncode}\n{logs[0] if logs else ''}")
    way.seconds += time.perf_counter() - began
    way.profiles.append(profile)


def measure(home: Home, batch: int, ways: tuple[Way, Way], size: int, at_once: int) -> None:
    """One batch of `size` tenants in both ways, in the sandbox at `home`."""
    variables = {**without_chosen_ports(), "FREEHOLD_HOME": str(home.root)}
    _up(variables)
    os.environ["FREEHOLD_HOME"] = str(home.root)
    runner, hand = ways
    with open_cell(_CELL, Target.SANDBOX) as cell:
        supervisor = cell.environment.home
        roots = [identity.pid for file in supervisor.run.glob("*.pid") if (identity := pidfile.read(file))]
        _prepare(home, size)
        turns = [(by_runner, runner, "r"), (by_hand, hand, "h")]
        for do, way, letter in turns if batch % 2 == 0 else reversed(turns):
            do(cell, way, requests(letter, size), at_once, roots)
            print(f"batch {batch + 1}, {size} tenants {way.name}: {way.seconds:.1f} s so far", flush=True)


def told(runner: Way, hand: Way, tenants: int) -> bool:
    """Whether the goal is met."""
    for way in (runner, hand):
        way.report(tenants)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    ratio, started = hand.seconds / runner.seconds, hand.seconds / (runner.seconds + runner.start)
    print(f"\nratio: {ratio:.2f} times as fast by the runner (goal: {_GOAL:.0f}); load {load}")
    print(f"with the runner's start, {runner.start:.1f} s: {started:.2f} times")
    return ratio >= _GOAL


def _up(variables: Mapping[str, str]) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "cli", "up"], cwd=CHECKOUT, env=variables, capture_output=True, text=True
    )
    if run.returncode != 0:
        raise SystemExit(f"freehold up exited with {run.returncode}\n{run.stdout}\n{run.stderr}")


def _prepare(home: Home, tenants: int) -> None:
    """Only the runner of the benchmark is to take operations; and the cluster gets the nodes that a cloud's autoscaler
    would add, which does not run in the sandbox."""
    supervisor = Supervisor.connect(home)
    supervisor.stop_runner(_CELL)
    for cluster in supervisor.status().clusters:
        supervisor.set_node_group(cluster, NodeGroup(name="added", size=math.ceil(2 * tenants / _TENANTS_A_NODE)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tenants", type=int, default=50, help="in each way")
    parser.add_argument("--batches", type=int, default=2)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--no-preview", action="store_true", help="by hand neither, as by the runner")
    asked = parser.parse_args()
    ensure()
    runner = Way("by the runner")
    hand = Way(f"by hand: xargs -P {asked.at_once}, pulumi up", flags="--skip-preview" if asked.no_preview else "")
    size = asked.tenants // asked.batches
    for batch in range(asked.batches):
        with temporary_sandbox() as running:
            measure(running.home, batch, (runner, hand), size, asked.at_once)
    return 0 if told(runner, hand, size * asked.batches) else 1


if __name__ == "__main__":
    sys.exit(main())
