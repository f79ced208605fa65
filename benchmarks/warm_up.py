"""`python -m benchmarks.warm_up`: `freehold up` with nothing to change against the bare `pulumi up` call that it makes.

The engine runs on the platform alone: the registry says of each tenant that it is as it shall be. Both in one run, on a
sandbox of its own, turn about. Printed: seconds, and the ratio, which is to be at most 2.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

from fleet.environments import POLICIES
from sandbox.environment import environment
from sandbox.home import CHECKOUT, Home
from sandbox.toolchain import ensure
from tests.temporary_sandbox import temporary_sandbox, without_chosen_ports


def command(home: Home) -> float:
    """Seconds of one `freehold up`, the interpreter's start included."""
    variables = {**without_chosen_ports(), "FREEHOLD_HOME": str(home.root)}
    return _timed([sys.executable, "-m", "cli", "up"], CHECKOUT, variables)


def bare(home: Home) -> float:
    """Seconds of the same call by hand."""
    flags = ["--yes", "--non-interactive", "--policy-pack", str(POLICIES), "--stack", "sandbox"]
    return _timed(["pulumi", "up", *flags], CHECKOUT, environment(home))


def _timed(command: list[str], folder: Path, variables: dict[str, str]) -> float:
    began = time.perf_counter()
    run = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if run.returncode != 0:
        raise SystemExit(f"{' '.join(command)} exited with {run.returncode}\n{run.stdout}\n{run.stderr}")
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.warm_up", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each is timed; medians are printed")
    rounds = parser.parse_args().rounds
    ensure()
    with temporary_sandbox() as running:
        print(f"first `freehold up`: {command(running.home):.1f} s", flush=True)
        pairs = [(command(running.home), bare(running.home)) for _ in range(rounds)]
    ours, by_hand = (list(times) for times in zip(*pairs, strict=True))
    for name, times in (("freehold up, nothing to change", ours), ("the same pulumi up call", by_hand)):
        print(f"{name}: {statistics.median(times):.1f} s  ({', '.join(f'{one:.1f}' for one in times)})")
    print(f"ratio: {statistics.median(one / other for one, other in pairs):.2f}  (goal: at most 2)")


if __name__ == "__main__":
    main()
