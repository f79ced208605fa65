"""Running the programs that make the tools: output kept in a log, ended with us, failures told in one line."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from errors import FreeholdError


class Commands:
    """Children of one `ensure`; `stop` ends those that still run (Ctrl-C, or another unit has failed)."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = dict(os.environ if environment is None else environment)
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def run(
        self,
        command: Sequence[str | os.PathLike[str]],
        *,
        log: Path,
        what: str,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        line: Callable[[str], None] = lambda text: None,
        check: bool = True,
    ) -> str:
        """Run `command`, append all it prints to `log`, give each line to `line`; return the output.

        A failure is a FreeholdError made of `what`, the last line printed and the log's path, unless `check` is off.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        printed: list[str] = []
        with open(log, "a", encoding="utf-8") as kept:
            kept.write(f"$ {' '.join(map(str, command))}\n")
            child = self._start(command, folder, environment)
            try:
                assert child.stdout is not None
                for text in child.stdout:
                    kept.write(text)
                    kept.flush()
                    printed.append(text)
                    line(text.rstrip())
                code = child.wait()
            finally:
                self._forget(child)
        if code != 0 and check:
            last = next((text.strip() for text in reversed(printed) if text.strip()), f"exit code {code}")
            raise FreeholdError(f"{what} failed: {last}", mend=f"see {log}, then run the same command again")
        return "".join(printed)

    def _start(
        self, command: Sequence[str | os.PathLike[str]], folder: Path | None, environment: Mapping[str, str] | None
    ) -> subprocess.Popen[str]:
        with self._lock:
            if self._stopped:
                raise FreeholdError("stopped", where="toolchain")
            child = subprocess.Popen(
                [os.fspath(part) for part in command],
                cwd=folder,
                env={**self._environment, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
            self._running.add(child)
            return child

    def _forget(self, child: subprocess.Popen[str]) -> None:
        with self._lock:
            self._running.discard(child)
        if child.poll() is None:
            child.terminate()
            child.wait()
        if child.stdout is not None:
            child.stdout.close()

    def stop(self) -> None:
        """End what runs, and let nothing new start."""
        with self._lock:
            self._stopped = True
            for child in self._running:
                child.terminate()
