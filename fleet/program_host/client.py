"""Asks the program host for the address that an engine's run is given."""

from __future__ import annotations

import json
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
from fleet.program import program_version
from sandbox.home import CHECKOUT


@dataclass(frozen=True)
class _Started:
    """A host, and the version of the program that it has imported."""

    process: subprocess.Popen[bytes]
    control: Connection
    version: str


class ProgramHost:
    """A program that is imported once; used by any number of threads.

    `module` has a function `preload` that imports it, and that gets `arguments`.

    Started by `start` or the first use, and anew where the program's files have changed or it has died. It ends by
    itself after the process that started it, and after the last engine it serves.
    """

    def __init__(self, module: str, *arguments: str, log: Path) -> None:
        self._preload, self._log = (module, *arguments), log
        self._lock = threading.Lock()
        self._started: _Started | None = None

    def start(self) -> None:
        """Begin to import, without waiting for the end of it."""
        with self._lock:
            self._ready()

    @contextmanager
    def serving(self, environment: Mapping[str, str]) -> Iterator[str]:
        """The address of a language host whose program gets `environment`, for `pulumi --client`."""
        with self._lock:
            host, address = self._opened(environment)
        try:
            yield address
        finally:
            with self._lock, suppress(OSError):  # it has ended, or another took its place
                host.control.send_bytes(json.dumps({"close": address}).encode())

    def close(self) -> None:
        """Let it end."""
        with self._lock:
            self._end()

    def __enter__(self) -> ProgramHost:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _opened(self, environment: Mapping[str, str]) -> tuple[_Started, str]:
        request = json.dumps({"environment": dict(environment)}).encode()
        for _ in range(2):  # it may have died since
            host = self._ready()
            try:
                host.control.send_bytes(request)
                return host, host.control.recv_bytes().decode()
            except (EOFError, OSError):
                self._end()
        raise FreeholdError(
            f"the host of programs for `{' '.join(self._preload)}` ended at its start", mend=f"see {self._log}"
        )

    def _ready(self) -> _Started:
        version = program_version()
        if self._started is not None and (self._started.version != version or self._started.process.poll() is not None):
            self._end()
        if self._started is None:
            ours, theirs = Pipe()
            arguments = ("--control", str(theirs.fileno()), *self._preload)
            self._log.parent.mkdir(parents=True, exist_ok=True)
            with self._log.open("ab") as log:
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
            self._started.control.close()
            # Not waited for: it may serve an engine for minutes yet.
            threading.Thread(target=self._started.process.wait, daemon=True).start()
            self._started = None
