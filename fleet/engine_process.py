"""One engine operation as a process: watched by its events, stopped when asked to, with nothing left of it after."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fleet.disk import Room
from fleet.events import EventLog, Progress
from fleet.interrupts import Interrupts
from fleet.processes import RUN_VARIABLE, end_run

Observer = Callable[[Progress], None]

SETTINGS = {"GOGC": "600"}
"""Of the engine's Go runtime, where the user has chosen nothing else: each saved state leaves garbage several times its
size, and collecting it less often saves about a fifth of a large update's time."""
SKIP_PREVIEW = "--skip-preview"
_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Finished:
    """How it ended: exit code (negative: the signal that ended it), what its events said, what it printed."""

    code: int
    progress: Progress
    said: str
    short_of_room: bool


def run(
    command: Sequence[str],
    *,
    workdir: Path,
    environment: Mapping[str, str],
    token: str,
    observe: Observer,
    interrupts: Interrupts,
    room: Room | None,
) -> Finished:
    """`pulumi <command>` in a session of its own; `token` marks all that it starts."""
    # In memory, so that a full disk cannot cut them short; not pipes, so that the engine outlives this process.
    output, events = os.memfd_create("output"), os.memfd_create("events")
    try:
        process = subprocess.Popen(
            ["pulumi", "--non-interactive", "--color", "never", *command, "--event-log", f"/proc/self/fd/{events}"],
            cwd=workdir,
            env={**SETTINGS, **environment, RUN_VARIABLE: token, "PULUMI_DEBUG_COMMANDS": "true"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(events,),
            start_new_session=True,
        )
        progress = Progress(previewing=SKIP_PREVIEW not in command)
        code, short = _watch(process, progress, EventLog(events), token, observe, interrupts, room)
        return Finished(code, progress, _whole(output), short)
    finally:
        os.close(output)
        os.close(events)


def _watch(
    process: subprocess.Popen[bytes],
    progress: Progress,
    log: EventLog,
    token: str,
    observe: Observer,
    interrupts: Interrupts,
    room: Room | None,
) -> tuple[int, bool]:
    """Its exit code, and whether it was stopped for want of room."""
    obeyed, short = 0, False
    try:
        while True:
            code = process.poll()
            for event in log.read():
                progress.take(event)
            observe(progress)
            if code is not None:
                return code, short
            if interrupts.count > obeyed:
                obeyed += 1
                interrupts.announce()
                if obeyed == 1:
                    process.send_signal(signal.SIGINT)
                else:
                    end_run(token, grace=0)
            if room is not None and not short and room.low:
                short = True
                room.release()
                process.send_signal(signal.SIGINT)
            time.sleep(_POLL_SECONDS)
    finally:
        if process.poll() is None:  # an exception of ours
            end_run(token, grace=30)
        process.wait()
        end_run(token, grace=0)  # a program or plugin can outlive its engine


def _whole(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    return os.pread(descriptor, size, 0).decode(errors="replace")
