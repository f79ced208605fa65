"""Sandboxes that tests start for themselves."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.environment import environment
from sandbox.home import Home
from sandbox.supervisor import launch, pidfile
from sandbox.supervisor.client import NotRunning, Supervisor
from sandbox.supervisor.launch import start


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox in a FREEHOLD_HOME of its own, on free ports."""

    home: Home

    @property
    def environment(self) -> Mapping[str, str]:
        """The engine's and the tools', as they are now: DATABASE_URL appears when there is a database."""
        return environment(self.home)

    @property
    def supervisor(self) -> Supervisor:
        return Supervisor.connect(self.home)


def without_chosen_ports() -> dict[str, str]:
    """This process' environment without what the user has chosen for another sandbox: ports and providers."""
    chosen = re.compile(r"FREEHOLD_(\w+_PORT|PROVIDERS)")
    return {name: value for name, value in os.environ.items() if not chosen.fullmatch(name)}


@contextmanager
def temporary_home() -> Iterator[Home]:
    """A FREEHOLD_HOME where nothing has run; whatever is started in it is ended, then it is deleted."""
    root = Path(tempfile.mkdtemp(prefix="freehold-"))
    home = Home(root)
    try:
        yield home
    finally:
        try:
            Supervisor.connect(home).stop()
        except NotRunning:
            for file in home.run.glob("*.pid"):
                if identity := pidfile.read(file):
                    identity.end(grace_seconds=10)
        shutil.rmtree(root)
        for process in launch._LAUNCHED:  # one that nobody asked how it ended is told of when the interpreter ends
            process.poll()


@contextmanager
def temporary_sandbox() -> Iterator[Sandbox]:
    """A running sandbox, stopped and deleted at the end."""
    with temporary_home() as home:
        start(home, environment=without_chosen_ports())
        yield Sandbox(home)
