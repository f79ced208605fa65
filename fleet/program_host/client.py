"""Asks the program host for the address that an engine's run is given."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from types import TracebackType

from errors import FreeholdError
from fleet.program import program_version, runner_version
from sandbox.files import unwritable
from sandbox.home import CHECKOUT


@dataclass
class _Started:
    """A host, and the version of the program that it has imported."""

    process: subprocess.Popen[bytes]
    control: Connection
    version: str
    serving: int = 0
    retired: bool = False

    def close_if_done(self) -> None:
        """It ends by itself when this is closed; an engine that it serves may be between its preview and update."""
        if self.retired and not self.serving:
            self.control.close()
            # Not waited for: what it runs now may take minutes yet.
            threading.Thread(target=self.process.wait, daemon=True).start()


@dataclass(frozen=True)
class Served:
    """What an engine is started with: the address for `pulumi --client`, and its environment."""

    address: str
    environment: Mapping[str, str]


class ProgramHost:
    """A program that is imported once; used by any number of threads.

    `module` has a function `preload` that imports it, and that gets `arguments`. With `policies` the policy pack is
    imported too.

    Started by `start` or the first use, and anew where the program's files have changed or it has died. It ends by
    itself after the process that started it, and after the last engine it serves.
    """

    def __init__(self, module: str, *arguments: str, log: Path, policies: bool = False) -> None:
        self._preload, self._log, self._policies = (module, *arguments), log, policies
        self._lock = threading.Lock()
        self._started: _Started | None = None

    def start(self) -> None:
        """Begin to import, without waiting for the end of it."""
        with self._lock:
            self._ready()

    @contextmanager
    def serving(self, environment: Mapping[str, str]) -> Iterator[Served]:
        """For one engine, whose program gets `environment`."""
        with self._lock:
            host, answer = self._opened(environment)
            host.serving += 1
        address = answer["address"]
        path = os.pathsep.join((answer["commands"], environment.get("PATH", os.defpath)))
        try:
            yield Served(address, {**environment, "PATH": path} if self._policies else environment)
        finally:
            with self._lock:
                host.serving -= 1
                with suppress(OSError):  # it has ended
                    host.control.send_bytes(json.dumps({"close": address}).encode())
                host.close_if_done()

    def close(self) -> None:
        """Let it end."""
        with self._lock:
            self._end()

    def __enter__(self) -> ProgramHost:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _opened(self, environment: Mapping[str, str]) -> tuple[_Started, dict[str, str]]:
        request = json.dumps({"environment": dict(environment)}).encode()
        for _ in range(2):  # it may have died since
            host = self._ready()
            try:
                host.control.send_bytes(request)
                answer: dict[str, str] = json.loads(host.control.recv_bytes())
                return host, answer
            except (EOFError, OSError):
                self._end()
        raise FreeholdError(
            f"the host of programs for `{' '.join(self._preload)}` ended at its start", mend=f"see {self._log}"
        )

    def _ready(self) -> _Started:
        version = runner_version() if self._policies else program_version()
        if self._started is not None and (self._started.version != version or self._started.process.poll() is not None):
            self._end()
        if self._started is None:
            ours, theirs = Pipe()
            options = ("--policies",) if self._policies else ()
            arguments = ("--control", str(theirs.fileno()), *options, *self._preload)
            try:
                self._log.parent.mkdir(parents=True, exist_ok=True)
                log = self._log.open("ab")
            except OSError as error:
                ours.close()
                theirs.close()
                raise unwritable(self._log, error) from None
            with log:
                process = subprocess.Popen(
                    [sys.executable, "-m", "fleet.program_host", *arguments],
                    cwd=CHECKOUT,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,
                )
            theirs.close()
            self._started = _Started(process, ours, version)
        return self._started

    def _end(self) -> None:
        if self._started is not None:
            self._started.retired = True
            self._started.close_if_done()
            self._started = None


@contextmanager
def program(
    programs: ProgramHost | None, environment: Mapping[str, str]
) -> Iterator[tuple[tuple[str, ...], Mapping[str, str]]]:
    """An engine's flags and environment for a program that is imported already; no flags where it starts it anew.

    A refresh and a destroy run none, and yet have a language host list the packages of its environment.
    """
    if programs is None:
        yield (), environment
        return
    with programs.serving(environment) as served:
        yield ("--client", served.address), served.environment
