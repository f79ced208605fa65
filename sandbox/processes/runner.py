"""The runner of a cell's operations as a process."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from sandbox.processes.python_process import python_command, python_environment
from sandbox.processes.site import Site
from sandbox.supervisor.spec import NotReady, ProcessSpec

KIND = "runner"

_SILENT_SECONDS = 60.0
# Shorter than in production: a rehearsal is killed about in, and somebody waits for it.
_PACE = ("--lease", "10", "--heartbeat", "1", "--poll", "0.3", "--failures", "6")


def runner_name(cell: str) -> str:
    return f"{KIND}-{cell}"


def runner(site: Site, cell: str, after: Sequence[str]) -> ProcessSpec:
    """`after` are the processes that it works with: it is stopped before them."""
    alive = site.home.run / f"{runner_name(cell)}.alive"
    port, port_is_free = site.port(runner_name(cell))

    def prepare() -> None:
        alive.unlink(missing_ok=True)
        port_is_free()

    return ProcessSpec(
        name=runner_name(cell),
        kind=KIND,
        instance=cell,
        port=port,
        command=python_command(
            "fleet.runner",
            *("--cell", cell, "--target", "sandbox", "--alive", str(alive), "--port", str(port)),
            *_PACE,
        ),
        environment={**python_environment(), **_of_user()},
        after=tuple(after),
        prepare=prepare,
        # Not /readyz: a database that starts later than it would otherwise have it restarted.
        check=lambda: _require_touched(alive),
    )


def _of_user() -> dict[str, str]:
    """What says where the user's cache is: the engines that it starts are there."""
    return {name: os.environ[name] for name in ("HOME", "USER", "XDG_CACHE_HOME") if name in os.environ}


def _require_touched(alive: Path) -> None:
    try:
        silent = time.time() - alive.stat().st_mtime
    except FileNotFoundError:
        raise NotReady("it has not begun yet") from None
    if silent > _SILENT_SECONDS:
        raise NotReady(f"no sign of life for {silent:.0f} s")
