"""The processes of one run of the engine, found by what its environment says, and ended."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import psutil

RUN_VARIABLE = "FREEHOLD_RUN"
"""Set in the environment of every engine, and so of all that it starts, to a token of that one run."""


def members(token: str) -> Iterator[psutil.Process]:
    """The living processes of the run that `token` marks: the engine and whatever it started, in any process group."""
    for process in psutil.process_iter():
        try:
            if process.environ().get(RUN_VARIABLE) == token and process.status() != psutil.STATUS_ZOMBIE:
                yield process
        except (psutil.Error, OSError):
            continue  # it has ended meanwhile, or is not ours


def ended(process: psutil.Process) -> bool:
    """Whether it runs no more, if only as a zombie that nobody has waited for yet."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True  # between the two questions


def end_run(token: str, *, grace: float) -> int:
    """End what lives of a run: SIGINT to the engine, `grace` seconds to finish, then SIGKILL to all.

    Returns how many processes there were. The engine writes its state before it obeys a SIGINT.
    """
    found = list(members(token))
    for process in found:
        if _leads_session(process):
            _send(process, signal.SIGINT)
            _wait_for(process, grace)
    # Children of an engine that is gone have nothing left to save.
    while left := list(members(token)):
        for process in left:
            _send(process, signal.SIGKILL)
        time.sleep(0.05)
    return len(found)


def _leads_session(process: psutil.Process) -> bool:
    """The engine is started as the leader of a session of its own."""
    try:
        return os.getsid(process.pid) == process.pid
    except ProcessLookupError:
        return False


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def _wait_for(process: psutil.Process, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not ended(process):
        time.sleep(0.05)
