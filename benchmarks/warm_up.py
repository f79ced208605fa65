"""`python -m benchmarks.warm_up`: `freehold up` with nothing to change against the bare `pulumi up` calls it makes.

Both in one run, on a sandbox of its own, turn about. Printed: seconds, and the ratio, which is to be at most 2.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fleet.environments import POLICIES
from sandbox.environment import environment
from sandbox.home import CHECKOUT, Home
from sandbox.toolchain import ensure
from tests.temporary_sandbox import temporary_sandbox, without_chosen_ports

TENANTS = ("acme", "acme-eu")


def command(home: Home) -> float:
    """Seconds of one `freehold up`, the interpreter's start included."""
    variables = {**without_chosen_ports(), "FREEHOLD_HOME": str(home.root)}
    return _timed([sys.executable, "-m", "cli", "up"], CHECKOUT, variables)


def bare(home: Home) -> tuple[float, float]:
    """Seconds of the same calls by hand: one after the other, and the two tenants side by side, as `up` does it."""
    variables = environment(home)
    platform = _pulumi(variables, "sandbox", CHECKOUT)
    folders = {f"tenant.sandbox.{tenant}": home.tenants / "sandbox" / tenant for tenant in TENANTS}
    tenants = [_pulumi(variables, stack, folder) for stack, folder in folders.items()]
    began = time.perf_counter()
    with ThreadPoolExecutor(len(folders)) as pool:
        list(pool.map(lambda item: _pulumi(variables, *item), folders.items()))
    return platform + sum(tenants), platform + time.perf_counter() - began


def _pulumi(variables: dict[str, str], stack: str, folder: Path) -> float:
    flags = ["--yes", "--non-interactive", "--policy-pack", str(POLICIES), "--stack", stack]
    return _timed(["pulumi", "up", *flags], folder, variables)


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
        ours, serial, parallel = [], [], []
        for _ in range(rounds):
            ours.append(command(running.home))
            one_by_one, side_by_side = bare(running.home)
            serial.append(one_by_one)
            parallel.append(side_by_side)
    for name, times in (("freehold up, nothing to change", ours), ("the same pulumi up calls, one by one", serial),
                        ("the same pulumi up calls, tenants side by side", parallel)):  # fmt: skip
        print(f"{name}: {statistics.median(times):.1f} s  ({', '.join(f'{one:.1f}' for one in times)})")
    middle = statistics.median(ours)
    print(f"ratio to the calls one by one:    {middle / statistics.median(serial):.2f}  (goal: at most 2)")
    print(f"ratio to the calls side by side:  {middle / statistics.median(parallel):.2f}")


if __name__ == "__main__":
    main()
