"""The command as a person runs it: a process of its own, in a FREEHOLD_HOME of its own."""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from fleet.processes import RUN_VARIABLE
from fleet.state import StackState, read_state
from fleet.state_files import state_path
from sandbox.environment import environment
from sandbox.home import CHECKOUT, Home
from sandbox.supervisor.client import Supervisor
from tests.cli.forked_command import EVERYTHING, ForkedCommand, forked_command

Json = Any
_SECONDS = 900


@functools.cache
def _command() -> ForkedCommand:
    """Of this process of pytest, until it ends."""
    until_then = contextlib.ExitStack()
    atexit.register(until_then.close)
    return until_then.enter_context(forked_command(EVERYTHING))


@dataclass(frozen=True)
class Freehold:
    """`./freehold` for one home."""

    home: Home
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def shell(self) -> dict[str, str]:
        """A person's environment, without another sandbox's variables."""
        foreign = re.compile(r"(AWS|PULUMI|KUBE|PG|FREEHOLD)_?\w*|DATABASE_URL|REDIS_URL")
        inherited = {name: value for name, value in os.environ.items() if not foreign.fullmatch(name)}
        return {**inherited, "FREEHOLD_HOME": str(self.home.root), "NO_COLOR": "1", **self.extra}

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "cli", *arguments],
            cwd=CHECKOUT,
            env={**self.shell, **environment},
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """To its end, in a process that need not import it first: `by_shell`, `by_hand` and `start` do."""
        return _command().run(*arguments, environment={**self.shell, **environment})

    def ok(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Raises AssertionError with what it said where it failed."""
        run = self.run(*arguments, **environment)
        assert run.returncode == 0, f"freehold {' '.join(arguments)}: {run.returncode}\n{run.stdout}\n{run.stderr}"
        return run

    def json(self, *arguments: str) -> Json:
        return json.loads(self.ok(*arguments, "--json").stdout)

    def by_shell(self, script: str) -> None:
        """Run a new user's commands, without a sandbox's variables; raises AssertionError for the first that fails."""
        run = subprocess.run(
            ["bash", "-x", "-c", f"set -euo pipefail\n{script}"],
            cwd=CHECKOUT,
            env=self.shell,
            text=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
        )
        assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-4000:]

    def by_hand(self, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """A shell command after `eval "$(./freehold sandbox env)"`, in the checkout."""
        return subprocess.run(
            ["bash", "-c", command],
            cwd=CHECKOUT,
            env={**self.shell, **self.variables, **environment},
            text=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
        )

    def objects(self, kinds: str, namespace: str) -> list[Json]:
        """What is there, by the cluster's own administrator: an operator's login takes longer than to look."""
        cluster = Supervisor.connect(self.home).cluster(self.state().outputs["contract"]["cluster"]["name"])
        assert cluster is not None
        line = ["kubectl", f"--kubeconfig={cluster.admin_kubeconfig}", "-n", namespace, "get", kinds, "-o", "json"]
        run = subprocess.run(line, env=self.variables, capture_output=True, text=True, check=True, timeout=60)
        found: list[Json] = json.loads(run.stdout)["items"]
        return found

    @property
    def variables(self) -> dict[str, str]:
        """What `sandbox env` exports."""
        return environment(self.home)

    def state(self, stack: str = "sandbox") -> StackState:
        found = read_state("freehold", stack, self.variables, CHECKOUT)
        assert found is not None
        return found

    def engines(self) -> list[psutil.Process]:
        """The processes of engine runs on this home."""
        found = []
        for process in psutil.process_iter():
            try:
                variables = process.environ()
                ours = RUN_VARIABLE in variables and variables.get("FREEHOLD_HOME") == str(self.home.root)
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found


def until(condition: Callable[[], bool], seconds: float = 300) -> None:
    """Wait for `condition`. Raises AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


def stack_path(home: Home, stack: str = "sandbox") -> Path:
    """The state of a stack in the file backend."""
    return state_path(home.backend, "freehold", stack)
