"""How long the process takes that serves all provider stand-ins: `python -m benchmarks.provider_host [--rounds 5]`.

In each round: an interpreter that imports the libraries the stand-ins are built on and ends (that part is not ours to
make faster), then the host from its start to its line that it is ready, then what an engine's plugins wait for. Prints
medians, the ratio to the bare imports, and the host's memory with an instance of each stand-in (goals: 1 s, 150 MB).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from sandbox.home import CHECKOUT, Home
from sandbox.providers import plugin
from sandbox.providers.registry import CLASSES, provider_class
from tests.temporary_sandbox import temporary_home

_LIBRARIES = "import botocore.session, grpc, psycopg, pulumi, pydantic"
_GOAL_SECONDS, _GOAL_MEGABYTES = 1.0, 150.0


@dataclass(frozen=True)
class Round:
    """Seconds, and megabytes of resident memory."""

    imports: float
    ready: float
    plugins: float
    memory: float


def measure(home: Home) -> Round:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", _LIBRARIES], check=True)
    imports = time.perf_counter() - began
    began = time.perf_counter()
    line = [sys.executable, "-m", "sandbox.providers.host", "--home", str(home.root)]
    with subprocess.Popen(line, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as host:
        try:
            assert host.stdout is not None
            said = host.stdout.readline()
            ready = time.perf_counter() - began
            if not said.startswith("ready"):
                raise SystemExit(f"the host did not become ready: {said}")
            began = time.perf_counter()
            with plugins(home.socket("providers")):
                asked = time.perf_counter() - began
                memory = psutil.Process(host.pid).memory_info().rss / 1e6
        finally:
            host.terminate()
    return Round(imports, ready, asked, memory)


@contextmanager
def plugins(address: Path) -> Iterator[None]:
    """One of each, as an engine starts them: one after the other."""
    started = []
    try:
        for name in CLASSES:
            line = [sys.executable, "-I", "-S", plugin.__file__, name, provider_class(name)().version, str(address)]
            started.append(subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
            told = started[-1].stdout
            assert told is not None
            if not told.readline().strip().isdigit():
                raise SystemExit(f"the plugin of {name} got no port")
        yield
    finally:
        for process in started:
            process.terminate()
            process.communicate()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with temporary_home() as home:
        home.run.mkdir(parents=True)
        done = [measure(home) for _ in range(rounds)]
    imports, ready, asked, memory = (
        statistics.median(getattr(one, name) for one in done) for name in ("imports", "ready", "plugins", "memory")
    )
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"medians of {rounds} rounds; load {load} on {os.cpu_count()} processors")
    print(f"the libraries' imports alone     {imports:6.2f} s")
    print(f"the host, start to ready         {ready:6.2f} s  {ready / imports:.2f}x  (goal: {_GOAL_SECONDS:.0f} s)")
    print(f"four plugins, one by one         {asked:6.2f} s")
    print(f"the host with four instances     {memory:6.0f} MB       (goal: {_GOAL_MEGABYTES:.0f} MB)")
    return 0 if ready <= _GOAL_SECONDS and memory <= _GOAL_MEGABYTES else 1


if __name__ == "__main__":
    sys.exit(main())
