"""Starting the supervisor as a process of its own, and waiting until the sandbox is ready."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Container, Mapping
from pathlib import Path

from errors import FreeholdError
from sandbox.files import unwritable
from sandbox.home import CHECKOUT, Home
from sandbox.providers.choice import require_unchanged
from sandbox.providers.install import install_chosen
from sandbox.supervisor import ALREADY_RUNNING
from sandbox.supervisor.client import ConnectionLost, NotRunning, Supervisor
from sandbox.supervisor.messages import Status

_OTHERS = ("AWS_", "PULUMI_", "KUBE", "GOOGLE_", "PG", "DATABASE_URL", "REDIS_URL")
_POLL_SECONDS = 0.05
_READY_SECONDS = 180.0
_END_SECONDS = 180.0


class _Lasting(subprocess.Popen[bytes]):
    """A supervisor, which outlives whoever started it: a handle that is dropped while it runs is no mistake of theirs,
    though Popen warns of it, at the end of the interpreter too."""

    def __del__(self) -> None:
        pass


_LAUNCHED: list[_Lasting] = []
"""By this process, and not reaped yet."""


def start(
    home: Home,
    *,
    progress: Callable[[Status], None] | None = None,
    environment: Mapping[str, str] | None = None,
    without: Container[str] = (),
) -> tuple[Supervisor, bool]:
    """The running sandbox, and whether it had to be started. Raises a FreeholdError that names the process at fault,
    but for a process that was given up and is of one of the kinds `without`.

    `environment` (default: this process') holds PATH, FREEHOLD_PROVIDERS and the FREEHOLD_*_PORT variables for a
    sandbox that is started. Safe to call from several processes at once: one supervisor wins, all wait for it. One that
    is ending is waited for, and then another is started.
    """
    given = os.environ if environment is None else environment
    running = _running(home, progress)
    started = running is None
    if running is not None:
        require_unchanged(home, given)
        supervisor = running
    else:
        _prepare(home, given)
        supervisor = _launch(home, given)
    try:
        _wait_until_ready(supervisor, progress, without)
    except FreeholdError:
        if started:
            # The next start shall begin anew, with another port or more room, and not find this one half running.
            supervisor.stop()
        raise
    return supervisor, started


def _running(home: Home, progress: Callable[[Status], None] | None) -> Supervisor | None:
    """The one that runs; None where there is none, or none any more."""
    deadline = time.monotonic() + _END_SECONDS
    while True:
        try:
            supervisor = Supervisor.connect(home)
            status = supervisor.status()
        except (NotRunning, ConnectionLost):
            return None
        if status.state != "stopping":
            return supervisor
        if progress is not None:
            progress(status)
        if time.monotonic() > deadline:
            mend = f"see {home.logs}/supervisor.log"
            raise FreeholdError(f"has been stopping for {_END_SECONDS:.0f} s", where="sandbox", mend=mend)
        time.sleep(_POLL_SECONDS)


def _launch(home: Home, environment: Mapping[str, str]) -> Supervisor:
    """Start the process, and return once its socket answers."""
    log = home.logs / "supervisor.log"
    process, begin = _spawn(home, environment, log)
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        try:
            return Supervisor.connect(home)
        except NotRunning:
            code = process.poll()
        if code == ALREADY_RUNNING:
            # Another's, which answers soon; or one was ending that had its lock still, and nobody else starts anew.
            process, begin = _spawn(home, environment, log)
        elif code is not None:
            what = _last_line(log, begin) or f"ended with exit code {code}"
            raise FreeholdError(what, where="supervisor", mend=f"see {log}")
        time.sleep(_POLL_SECONDS)
    raise FreeholdError(f"no answer within {_READY_SECONDS:.0f} s", where="supervisor", mend=f"see {log}")


def _spawn(home: Home, environment: Mapping[str, str], log: Path) -> tuple[_Lasting, int]:
    """The process, and where in the log its lines begin."""
    _LAUNCHED[:] = [one for one in _LAUNCHED if one.poll() is None]
    try:
        with open(log, "ab") as output:
            begin = output.tell()
            process = _Lasting(
                [sys.executable, "-m", "sandbox.supervisor", "--home", str(home.root)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                start_new_session=True,
                env=_environment(environment),
            )
    except OSError as error:
        raise unwritable(log, error) from None
    _LAUNCHED.append(process)
    return process, begin


def _wait_until_ready(
    supervisor: Supervisor, progress: Callable[[Status], None] | None, without: Container[str]
) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        status = supervisor.status()
        if progress is not None:
            progress(status)
        awaited = [
            process for process in status.processes if not (process.state == "failed" and process.kind in without)
        ]
        failed = next((process for process in awaited if process.state == "failed"), None)
        if failed is not None:
            mend = f"see {failed.log}; ./freehold sandbox stop, then start again"
            raise FreeholdError(failed.message, where=failed.name, mend=mend)
        if status.failure:
            raise FreeholdError(status.failure, where="sandbox", mend=f"see {supervisor.home.logs}/supervisor.log")
        running = status.state in ("ready", "degraded")
        if running and all(process.state == "ready" for process in awaited):
            return
        if time.monotonic() > deadline:
            late = ", ".join(f"{one.name} ({one.state})" for one in awaited if one.state != "ready")
            raise FreeholdError(
                f"not ready within {_READY_SECONDS:.0f} s: {late}", where="sandbox", mend="./freehold sandbox status"
            )
        time.sleep(_POLL_SECONDS)


def _environment(given: Mapping[str, str]) -> Mapping[str, str]:
    """The caller's, without what belongs to its engine or its cloud: the supervisor outlives it and serves others."""
    kept = {name: value for name, value in given.items() if not name.startswith(_OTHERS)}
    return {**kept, "PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1"}


def _prepare(home: Home, environment: Mapping[str, str]) -> None:
    """The folders, and the providers where the engine looks for plugins."""
    try:
        # Whoever may write to it could put folders of his own in their place; one that was there stays as it is.
        home.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The state and the engine's logs hold what the README's passphrase opens; the engine makes them for everybody.
        for folder in home.folders:
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
        install_chosen(home, environment)
    except OSError as error:
        raise unwritable(Path(error.filename or home.root), error) from None


def _last_line(path: Path, begin: int) -> str:
    with open(path, "rb") as log:
        log.seek(begin)
        lines = log.read().decode(errors="replace").splitlines()
    return next((line for line in reversed(lines) if line.strip()), "")
