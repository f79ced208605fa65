"""One managed process: started, watched, restarted when it dies, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import signal
import time
from collections import deque
from pathlib import Path
from typing import BinaryIO

import psutil

from errors import FreeholdError
from sandbox.files import unwritable
from sandbox.home import Home
from sandbox.supervisor import pidfile
from sandbox.supervisor.messages import ProcessState, ProcessStatus
from sandbox.supervisor.pidfile import ProcessIdentity
from sandbox.supervisor.privileges import launch_command
from sandbox.supervisor.spec import NotReady, ProcessSpec

_READY_POLL_SECONDS = 0.1
_HEALTH_SECONDS = 10.0
# A machine that compiles on every core makes a server miss a check or two; six in a row is a server that hangs.
_HEALTH_FAILURES = 6
_STOP_SECONDS = 15.0
_BACKOFF_FIRST, _BACKOFF_LAST = 0.2, 10.0
# More restarts than this within the window, and it is given up and reported as failed: fewer where it was never
# ready, because then it is more likely its configuration than an accident.
_RESTARTS, _RESTARTS_BEFORE_READY, _RESTART_WINDOW_SECONDS = 6, 2, 120.0
_LOG_LIMIT_BYTES = 20 * 2**20
_LOG_TAIL_BYTES = 4096
_FATAL = re.compile(r" (FATAL|PANIC):  ")

_log = logging.getLogger(__name__)


class ManagedProcess:
    """Keeps one process running from `start` to `stop`; all methods belong to the supervisor's event loop."""

    def __init__(self, spec: ProcessSpec, home: Home) -> None:
        self.spec = spec
        self.log = home.logs / f"{spec.name}.log"
        self._pidfile = home.run / f"{spec.name}.pid"
        self._home = home
        self._state: ProcessState = "waiting"
        self._message = ""
        self._log_begin = 0
        self._process: asyncio.subprocess.Process | None = None
        self._identity: ProcessIdentity | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()
        self._ready_after: float | None = None
        self._restarts: deque[float] = deque()
        self._restart_count = 0

    @property
    def state(self) -> ProcessState:
        return self._state

    def start(self) -> None:
        """Begin to keep it running; `ready` waits for it."""
        if self._keeper is None or self._keeper.done():
            self._restarts.clear()
            self._state, self._ready_after = "starting", None
            self._keeper = asyncio.create_task(self._keep(), name=self.spec.name)

    async def ready(self) -> None:
        """Waits until it serves; raises a FreeholdError once it is given up."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._state in ("ready", "failed", "stopping", "stopped"))
        if self._state != "ready":
            raise FreeholdError(self._message or f"is {self._state}", where=self.spec.name, mend=f"see {self.log}")

    async def stop(self) -> None:
        """Ends it and all that it started; returns when they are gone."""
        await self._set("stopping")
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        await self._end()
        await self._set("stopped")

    async def restart(self) -> None:
        """Stop and start, for a new configuration; returns when it serves again."""
        await self.stop()
        self.start()
        await self.ready()

    def status(self) -> ProcessStatus:
        alive = self._identity is not None and self._identity.is_alive()
        return ProcessStatus(
            name=self.spec.name,
            kind=self.spec.kind,
            instance=self.spec.instance,
            state=self._state,
            pid=self._identity.pid if self._identity and alive else None,
            port=self.spec.port,
            restarts=self._restart_count,
            started_seconds=self._ready_after,
            memory_bytes=_memory(self._identity.pid) if self._identity and alive else None,
            log=self.log,
            message=self._message,
        )

    async def _keep(self) -> None:
        backoff = _BACKOFF_FIRST
        while True:
            try:
                await self._launch_whole()
                await self._become_ready()
                backoff = _BACKOFF_FIRST
                await self._watch()
            except NotReady as error:
                self._message = str(error)
            except FreeholdError as error:
                # Whoever reads the message is told the process' name beside it.
                await self._give_up(error.line().removeprefix(f"{self.spec.name}: "))
                return
            except OSError as error:
                await self._give_up(f"cannot start: {error.strerror or error}")
                return
            except Exception as error:  # a defect of ours: nobody may wait for ever for what nobody keeps any more
                _log.exception("%s", self.spec.name)
                await self._give_up(f"{type(error).__name__}: {error}".splitlines()[0])
                return
            await self._end()
            now = time.monotonic()
            self._restarts.append(now)
            while now - self._restarts[0] > _RESTART_WINDOW_SECONDS:
                self._restarts.popleft()
            limit = _RESTARTS if self._ready_after is not None else _RESTARTS_BEFORE_READY
            if len(self._restarts) > limit:
                await self._give_up(f"given up after {limit} restarts: {self._message}")
                return
            self._restart_count += 1
            _log.warning("%s: %s; restarting in %.1f s", self.spec.name, self._message, backoff)
            await self._set("restarting")
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, _BACKOFF_LAST)

    async def _launch_whole(self) -> None:
        """A stop that comes while the process is being started waits until it is known, so that it can be ended."""
        launching = asyncio.ensure_future(self._launch())
        try:
            await asyncio.shield(launching)
        except asyncio.CancelledError:
            with contextlib.suppress(FreeholdError, OSError):
                await launching
            raise

    async def _launch(self) -> None:
        if self.spec.prepare is not None:
            await asyncio.to_thread(self.spec.prepare)
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self._home.root),
            "LANG": "C.UTF-8",
            "FREEHOLD_HOME": str(self._home.root),
            **self.spec.environment,
        }
        with _open_log(self.log) as log:
            self._log_begin = log.tell()
            process = await asyncio.create_subprocess_exec(
                *launch_command(self.spec),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                cwd=self.spec.directory,
                start_new_session=True,
            )
        self._process = process
        self._identity = ProcessIdentity.of(process.pid, self.spec.stop_signal)
        if self._identity is not None:
            pidfile.write(self._pidfile, self._identity)

    async def _become_ready(self) -> None:
        started = time.monotonic()
        reason = "no answer yet"
        while time.monotonic() - started < self.spec.ready_seconds:
            self._require_running()
            try:
                await asyncio.to_thread(self.spec.check)
            except (NotReady, OSError) as error:
                reason = str(error) or type(error).__name__
                await asyncio.sleep(_READY_POLL_SECONDS)
                continue
            self._require_running()
            self._ready_after = round(time.monotonic() - started, 3)
            self._message = ""
            await self._set("ready")
            return
        raise NotReady(f"not ready within {self.spec.ready_seconds:.0f} s: {reason}")

    async def _watch(self) -> None:
        """Returns never: raises NotReady when the process has ended or hangs."""
        assert self._process is not None
        failures = 0
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), _HEALTH_SECONDS)
            self._require_running()
            try:
                await asyncio.to_thread(self.spec.check)
            except (NotReady, OSError) as error:
                failures += 1
                self._message = str(error) or type(error).__name__
                await self._set("unhealthy")
                if failures >= _HEALTH_FAILURES:
                    raise NotReady(f"hung: {self._message}") from None
                continue
            failures, self._message = 0, ""
            await self._set("ready")

    def _require_running(self) -> None:
        code = self._process.returncode if self._process is not None else None
        if code is None:
            return
        how = f"ended with exit code {code}" if code >= 0 else f"was ended by {_signal_name(-code)}"
        said = _last_words(self.log, self._log_begin)
        raise NotReady(f"{how}: {said}" if said and code > 0 else how)

    async def _end(self) -> None:
        if self._identity is not None:
            await asyncio.to_thread(self._identity.end, _STOP_SECONDS)
            self._identity = None
            if self.spec.leftovers is not None:
                await asyncio.to_thread(self.spec.leftovers)
        if self._process is not None:
            await self._process.wait()
            self._process = None
        self._pidfile.unlink(missing_ok=True)

    async def _give_up(self, message: str) -> None:
        _log.error("%s: %s", self.spec.name, message)
        await self._end()
        self._message = message
        await self._set("failed")

    async def _set(self, state: ProcessState) -> None:
        if state != self._state:
            _log.info("%s: %s", self.spec.name, state)
        async with self._changed:
            self._state = state
            self._changed.notify_all()


def _open_log(path: Path) -> BinaryIO:
    """The log to append to; one that has grown too long is put aside as `.1` first."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > _LOG_LIMIT_BYTES:
            os.replace(path, path.with_suffix(".log.1"))
        return open(path, "ab")
    except OSError as error:
        raise unwritable(path, error) from None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _last_words(path: Path, begin: int) -> str:
    """What a process that began to write there said of its end, at most 300 characters of it: its last line, but of
    Postgres, which says last that it is shut down, the reason."""
    try:
        with open(path, "rb") as log:
            log.seek(max(begin, log.seek(0, os.SEEK_END) - _LOG_TAIL_BYTES))
            lines = [line.strip()[:300] for line in log.read().decode(errors="replace").split("\n") if line.strip()]
    except FileNotFoundError:
        return ""
    return next((line for line in reversed(lines) if _FATAL.search(line)), lines[-1] if lines else "")


def _memory(pid: int) -> int | None:
    try:
        process = psutil.Process(pid)
        return int(sum(member.memory_info().rss for member in (process, *process.children(recursive=True))))
    except psutil.Error:
        return None
