"""`freehold sandbox` as a person uses it, and what a home holds and runs then."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

import psutil

from sandbox.home import CHECKOUT, Home
from sandbox.supervisor.client import Supervisor
from sandbox.supervisor.messages import CacheUser
from tests.temporary_sandbox import without_chosen_ports


def freehold(
    home: Home, *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """`freehold ARGUMENTS` with FREEHOLD_HOME at `home`."""
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        cwd=CHECKOUT,
        text=True,
        capture_output=True,
        timeout=240,
        stdin=subprocess.DEVNULL,
        env={**without_chosen_ports(), "FREEHOLD_HOME": str(home.root), "COLUMNS": "200", **(environment or {})},
    )


def processes_of(home: Home) -> list[psutil.Process]:
    """Every process that was started for `home`: their environment says so, or (Postgres hides it) they work there."""
    found = []
    for process in psutil.process_iter():
        try:
            ours = process.environ().get("FREEHOLD_HOME") == str(home.root) or process.cwd().startswith(str(home.root))
            if ours and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def pids(supervisor: Supervisor) -> dict[str, int]:
    return {process.name: process.pid for process in supervisor.status().processes if process.pid is not None}


def populate(supervisor: Supervisor) -> None:
    supervisor.create_database("control", username="freehold", password="p4ssword-p4ssword", database="control")
    supervisor.create_cache("cache")
    user = CacheUser(name="app", passwords=("s3cret-s3cret-s3cret",), access_string="~* +@all")
    supervisor.set_cache_users("cache", [user])
