"""New tenants by the runner against `xargs -P` of `pulumi up`, one for each tenant.

    python -m benchmarks.tenants [--tenants 50] [--rounds 2] [--at-once 4] [--no-preview]

In each round both ways make as many tenants, each in a sandbox of its own with a platform, turn about; half of them are
on starter, half on pro. By hand, a stack is made (`pulumi stack init`) and updated under the policies (`pulumi up
--policy-pack`), which is what an operation does, but that it previews no new stack: with `--no-preview` nobody does.
Their configuration lies there already, the runner writes it. Both run as many at once, and both have made a tenant
before, which is not counted: the runner serves already, as in a cell. How long its start and that first one took is
told too. Prints seconds, the ratio (goal: by the runner three times as fast), and for both ways where the processors'
time went.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

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


@dataclass(frozen=True)
class Asked:
    """The command line."""

    tenants: int
    rounds: int
    at_once: int
    no_preview: bool


@dataclass
class Way:
    """One of the two, over all rounds."""

    name: str
    flags: str = ""
    """Of `pulumi up`, where it is by hand."""
    start: float = 0.0
    """Seconds until the first tenant was there, which is not counted, in all rounds."""
    rounds: list[float] = field(default_factory=list)
    """Seconds of each."""
    profiles: list[Profile] = field(default_factory=list)

    def report(self, tenants: int) -> None:
        """`tenants` are those of a round."""
        built = tenants * len(self.rounds)
        total: dict[str, float] = defaultdict(float)
        for profile in self.profiles:
            for role, seconds in profile.seconds.items():
                total[role] += seconds
        print(f"\n{self.name}: {sum(self.rounds) / built:.2f} s a tenant")
        for role, seconds in sorted(total.items(), key=lambda item: -item[1]):
            if seconds / built >= 0.005:
                print(f"  {role:34} {seconds / built:6.2f} CPU s a tenant")
        print(f"  {'together':34} {sum(total.values()) / built:6.2f}")
        print(f"  {'the whole machine':34} {sum(profile.busy for profile in self.profiles) / built:6.2f}")


def requests(prefix: str, count: int) -> list[Request]:
    return [Request(f"{prefix}{number}", "starter" if number % 2 else "pro") for number in range(count)]


def by_runner(cell: Cell, way: Way, tenants: int, at_once: int, roots: Sequence[int]) -> None:
    line = [sys.executable, "-m", "fleet.runner", "--cell", _CELL, "--target", "sandbox"]
    log = cell.environment.home.logs / "benchmark-runner.log"
    began = time.perf_counter()
    with log.open("wb") as out:
        runner = subprocess.Popen([*line, "--concurrency", str(at_once)], cwd=CHECKOUT, stdout=out, stderr=out)
    try:
        _built(cell, requests("first", 1), runner, log)
        way.start += time.perf_counter() - began
        with Profile([*roots, runner.pid]) as profile:
            began = time.perf_counter()
            _built(cell, requests("r", tenants), runner, log)
            way.rounds.append(time.perf_counter() - began)
    finally:
        runner.terminate()
        runner.wait()
    way.profiles.append(profile)


def _built(cell: Cell, wanted: Sequence[Request], runner: subprocess.Popen[bytes], log: Path) -> None:
    """Ask for them, and wait until they are there."""
    asked = [cell.requests.create(one, Asker("benchmark")).id for one in wanted]
    while (backlog := cell.view.backlog(_CELL)).queued or backlog.running:  # one question, as asking takes time as well
        if runner.poll() is not None:
            raise SystemExit(f"the runner ended; see {log}")
        time.sleep(0.2)
    failed = [one for one in cell.view.all(asked) if one.state is not State.SUCCEEDED]
    if failed:
        raise SystemExit(f"{len(failed)} of {len(asked)} operations failed: {failed[0].error}")


def by_hand(cell: Cell, way: Way, tenants: int, at_once: int, roots: Sequence[int]) -> None:
    began = time.perf_counter()
    _by_xargs(cell, way, requests("first", 1), at_once, roots)
    way.start += time.perf_counter() - began
    seconds, profile = _by_xargs(cell, way, requests("h", tenants), at_once, roots)
    way.rounds.append(seconds)
    way.profiles.append(profile)


def _by_xargs(
    cell: Cell, way: Way, wanted: Sequence[Request], at_once: int, roots: Sequence[int]
) -> tuple[float, Profile]:
    """How long it took, without the writing of the configuration."""
    environment, names = cell.environment, []
    for request in wanted:
        tenant = cell.registry.add(cell.wishes.wanted(request))
        config = tenant_folders.configuration(environment, tenant)
        working_folders.write(tenant_folders.folder(environment, tenant.id), tenant_stack(_CELL, tenant.id), config)
        names.append(tenant.id)
    folder = tenant_folders.folder(environment, names[0]).parent
    prefix = tenant_stack(_CELL, names[0]).removesuffix(names[0])
    line = ["xargs", "-P", str(at_once), "-I", "{}", "sh", "-c", _BY_HAND, "sh", str(folder), "{}", prefix]
    with Profile(roots) as profile:
        began = time.perf_counter()
        xargs = subprocess.Popen(
            [*line, str(POLICIES), way.flags], env=environment.engine, stdin=subprocess.PIPE, text=True
        )
        profile.watch(xargs.pid)
        xargs.communicate("\n".join(names))
        seconds = time.perf_counter() - began
    if xargs.returncode != 0:
        logs = [text for name in names if "error:" in (text := (folder / name / "log").read_text())]
        raise SystemExit(f"xargs exited with {xargs.returncode}\n{logs[0] if logs else ''}")
    return seconds, profile


def measure(home: Home, do: Callable[[Cell, Way, int, int, Sequence[int]], None], way: Way, asked: Asked) -> None:
    """One round of one way, in the sandbox at `home`."""
    variables = {**without_chosen_ports(), "FREEHOLD_HOME": str(home.root)}
    _up(variables)
    os.environ["FREEHOLD_HOME"] = str(home.root)
    with open_cell(_CELL, Target.SANDBOX) as cell:
        supervisor = cell.environment.home
        roots = [identity.pid for file in supervisor.run.glob("*.pid") if (identity := pidfile.read(file))]
        _prepare(home, asked.tenants)
        do(cell, way, asked.tenants, asked.at_once, roots)


def told(runner: Way, hand: Way, tenants: int) -> bool:
    """Whether the goal is met; `tenants` are those of a round."""
    for way in (runner, hand):
        way.report(tenants)
    each = [theirs / ours for ours, theirs in zip(runner.rounds, hand.rounds, strict=True)]
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    rounds = ", ".join(f"{ratio:.2f}" for ratio in each)
    print(f"\nratio: {median(each):.2f} times as fast by the runner (goal: {_GOAL:.0f}); rounds {rounds}; load {load}")
    started = (sum(hand.rounds) + hand.start) / (sum(runner.rounds) + runner.start)
    print(f"with the first tenant of each, and the runner's start ({runner.start / len(each):.1f} s): {started:.2f}")
    return median(each) >= _GOAL


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
        supervisor.set_node_group(cluster, NodeGroup(name="added", size=math.ceil(tenants / _TENANTS_A_NODE) + 1))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tenants", type=int, default=50, help="in each way")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--no-preview", action="store_true", help="by hand neither, as by the runner")
    asked = Asked(**vars(parser.parse_args()))
    ensure()
    runner = Way("by the runner")
    hand = Way(f"by hand: xargs -P {asked.at_once}, pulumi up", flags="--skip-preview" if asked.no_preview else "")
    turns = [(by_runner, runner), (by_hand, hand)]
    for number in range(asked.rounds):
        for do, way in turns if number % 2 == 0 else reversed(turns):
            with temporary_sandbox() as running:
                measure(running.home, do, way, asked)
            print(f"round {number + 1}: {asked.tenants} tenants {way.name}: {way.rounds[-1]:.1f} s", flush=True)
    return 0 if told(runner, hand, asked.tenants) else 1


if __name__ == "__main__":
    sys.exit(main())
