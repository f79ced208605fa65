"""What a server leaves that was killed alone: Postgres gives each of its processes a session of its own."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

_POLL_SECONDS = 0.02


def end_workers(program: str, folder: Path) -> None:
    """Kill the processes of `program` that work in `folder`, and return when they are gone.

    Most see that their server is gone and end; one that computes goes on until it has its result, holds the server's
    memory, and so keeps another server off the folder.
    """
    while workers := _workers(program, folder):
        for pid in workers:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_POLL_SECONDS)


def _workers(program: str, folder: Path) -> list[int]:
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            # Gone, a zombie, or somebody else's.
            with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
                there = os.path.samefile(f"/proc/{entry.name}/cwd", folder)
                # Of a program that was replaced since, Linux says `(deleted)` behind its name (proc_pid_exe(5)).
                if there and os.path.basename(os.readlink(f"/proc/{entry.name}/exe")).split(" ")[0] == program:
                    found.append(int(entry.name))
    return found
