"""How long the sandbox takes: `python -m benchmarks.sandbox_start [--runs N]`.

First start: nothing there, up to the supervisor, moto, the first cluster, a Postgres and a Redis server ready. Second
start: the same sandbox stopped and started again. Shown in seconds, and as ratios to the bare control plane of that
run (etcd, then the API server, then the slower controller): that part is not ours to make faster.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from sandbox.supervisor.client import Supervisor
from sandbox.supervisor.launch import start
from sandbox.supervisor.messages import ProcessStatus
from tests.temporary_sandbox import temporary_home, without_chosen_ports

GOAL_SECONDS = 15.0


@dataclass(frozen=True)
class Run:
    """Seconds of each part, and the memory of everything at the end."""

    base: float
    instances: float
    stop: float
    again: float
    control_plane: float
    processes: tuple[ProcessStatus, ...]

    @property
    def first(self) -> float:
        return self.base + self.instances


def measure() -> Run:
    with temporary_home() as home:
        base, _ = timed(lambda: start(home, environment=without_chosen_ports()))
        supervisor = Supervisor.connect(home)
        instances, _ = timed(lambda: create(supervisor))
        processes = supervisor.status().processes
        stop, _ = timed(supervisor.stop)
        again, _ = timed(lambda: start(home, environment=without_chosen_ports()))
        return Run(base, instances, stop, again, control_plane(processes), processes)


def create(supervisor: Supervisor) -> None:
    """What a first `up` asks for, at the same time as it does."""
    with ThreadPoolExecutor() as pool:
        asked: list[Future[Any]] = [
            pool.submit(supervisor.create_cluster, "first", "1.35"),
            pool.submit(
                supervisor.create_database,
                "tenants",
                username="freehold",
                password="benchmark-only",
                database="tenants",
            ),
            pool.submit(supervisor.create_cache, "first"),
        ]
        for one in asked:
            one.result()


def control_plane(processes: Sequence[ProcessStatus]) -> float:
    ready = {process.kind: process.started_seconds or 0.0 for process in processes}
    controllers = max(ready["kube-controller-manager"], ready["kube-scheduler"])
    return ready["etcd"] + ready["kube-apiserver"] + controllers


def timed(action: Callable[[], object]) -> tuple[float, object]:
    begun = time.monotonic()
    result = action()
    return time.monotonic() - begun, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    runs = [measure() for _ in range(parser.parse_args().runs)]
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, load {load:.1f}, median of {len(runs)} runs; goal {GOAL_SECONDS:.0f} s")
    bare = statistics.median(run.control_plane for run in runs)
    print(f"{'bare control plane':28}{bare:6.1f} s   1.0x")
    parts: tuple[tuple[str, Callable[[Run], float]], ...] = (
        ("supervisor, moto, providers", lambda run: run.base),
        ("cluster, Postgres, Redis", lambda run: run.instances),
        ("first start, all of it", lambda run: run.first),
        ("stop", lambda run: run.stop),
        ("second start, all of it", lambda run: run.again),
    )
    for name, part in parts:
        seconds = statistics.median(map(part, runs))
        print(f"{name:28}{seconds:6.1f} s{seconds / bare:6.1f}x")
    print("\nready after, memory:")
    for process in runs[-1].processes:
        print(f"  {process.name:32}{process.started_seconds or 0:6.1f} s{(process.memory_bytes or 0) / 2**20:8.0f} MiB")
    total = sum(process.memory_bytes or 0 for process in runs[-1].processes)
    print(f"  {'together':40}{total / 2**20:8.0f} MiB")


if __name__ == "__main__":
    main()
