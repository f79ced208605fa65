"""Runs of the engine as files below FREEHOLD_HOME, so that a later run can end what a killed one left."""

from __future__ import annotations

import fcntl
import secrets
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from errors import FreeholdError
from fleet.counting import counted
from fleet.processes import end_run
from sandbox.files import write_atomically
from sandbox.home import Home
from sandbox.supervisor.pidfile import ProcessIdentity

_GRACE_SECONDS = 60.0
"""What an orphaned engine gets to finish the operations in hand and to write its state."""


@dataclass(frozen=True)
class EngineRun:
    """One run: the token that marks its processes, and the process that started it."""

    stack: str
    command: str
    token: str
    owner: ProcessIdentity


_RUN = TypeAdapter(EngineRun)


def new_token() -> str:
    """What marks the processes of one run (`processes.RUN_VARIABLE`)."""
    return secrets.token_hex(16)


@contextmanager
def recorded(home: Home, run: EngineRun) -> Iterator[None]:
    """Keep the record of `run` from before it starts until it ends. A killed process leaves it: that is its purpose."""
    path = _folder(home) / f"{run.stack}.{run.token}.json"
    write_atomically(path, _RUN.dump_json(run), 0o600)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def require_idle(home: Home, *, but: Collection[int] = ()) -> None:
    """Raises FreeholdError where an engine runs whose command lives; `but` are processes that may."""
    for path in sorted(_folder(home).glob("*.json")):
        run = _read(path)
        if run is not None and run.owner.is_alive() and run.owner.pid not in but:
            raise FreeholdError(
                f"process {run.owner.pid} runs `pulumi {run.command}` on it",
                where=f"stack {run.stack}",
                mend="let it finish, or stop it with Ctrl-C, then try again",
            )


def end_orphans(home: Home, tell: Callable[[str], None]) -> None:
    """End the engines (and what they started) whose owner died: gently first, so that their state is whole."""
    for path in sorted(_folder(home).glob("*.json")):
        with _claimed(path):
            run = _read(path)
            if run is None or run.owner.is_alive():
                continue
            count = end_run(run.token, grace=_GRACE_SECONDS)
            if count:
                ended = counted(count, "process", "processes")
                tell(f"stack {run.stack}: ended {ended} that a killed `pulumi {run.command}` had left")
            path.unlink(missing_ok=True)


@contextmanager
def _claimed(path: Path) -> Iterator[None]:
    """One at a time ends what a record names: to a second SIGINT the engine gives up what it has in hand."""
    try:
        record = open(path, "rb")  # noqa: SIM115
    except FileNotFoundError:
        yield
        return
    with record:
        fcntl.flock(record, fcntl.LOCK_EX)
        yield


def _read(path: Path) -> EngineRun | None:
    """None where another run removed it meanwhile, or one of another release wrote it."""
    try:
        return _RUN.validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def _folder(home: Home) -> Path:
    return home.run / "engines"
