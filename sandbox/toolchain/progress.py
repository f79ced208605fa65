"""How making the tools is shown: lines in a log, live bars on a terminal."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Protocol, TextIO

_HEARTBEAT_SECONDS = 30.0


def spell(seconds: float) -> str:
    """A duration for people: `0.4 s`, `32 s`, `4 min 12 s`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


class Reporter(Protocol):
    """Told about each unit of work; may be called from several threads."""

    def begin(self, unit: str, doing: str) -> None: ...

    def detail(self, unit: str, text: str) -> None: ...

    def end(self, unit: str, outcome: str) -> None: ...


@contextmanager
def reported(reporter: Reporter, unit: str, doing: str, outcome: str) -> Iterator[None]:
    """Tell that `unit` begins, and how it ended."""
    reporter.begin(unit, doing)
    try:
        yield
    except BaseException:
        reporter.end(unit, "failed")
        raise
    reporter.end(unit, outcome)


class Silent:
    """Shows nothing."""

    def begin(self, unit: str, doing: str) -> None:
        pass

    def detail(self, unit: str, text: str) -> None:
        pass

    def end(self, unit: str, outcome: str) -> None:
        pass


class Lines:
    """One line when a unit begins and one when it ends; between them at most one in 30 s."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._began: dict[str, float] = {}
        self._spoke: dict[str, float] = {}

    def begin(self, unit: str, doing: str) -> None:
        with self._lock:
            self._began[unit] = self._spoke[unit] = time.monotonic()
            self._print(f"toolchain: {unit}: {doing}")

    def detail(self, unit: str, text: str) -> None:
        with self._lock:
            now = time.monotonic()
            if now - self._spoke[unit] >= _HEARTBEAT_SECONDS:
                self._spoke[unit] = now
                self._print(f"toolchain: {unit}: {text} ({spell(now - self._began[unit])})")

    def end(self, unit: str, outcome: str) -> None:
        with self._lock:
            self._print(f"toolchain: {unit}: {outcome} ({spell(time.monotonic() - self._began.pop(unit))})")

    def _print(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


class Bars:
    """A live line per unit with the time taken."""

    def __init__(self, stream: TextIO) -> None:
        # Only here: the rest of the toolchain is standard library, so that the launcher can use it.
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

        columns = (SpinnerColumn(finished_text="✓"), TextColumn("{task.description}"), TimeElapsedColumn())
        self._progress = Progress(*columns, console=Console(file=stream))
        self._tasks: dict[str, TaskID] = {}

    def begin(self, unit: str, doing: str) -> None:
        if not self._progress.live.is_started:
            self._progress.start()
        self._tasks[unit] = self._progress.add_task(f"{unit}: {doing}", total=None)

    def detail(self, unit: str, text: str) -> None:
        self._progress.update(self._tasks[unit], description=f"{unit}: {text}")

    def end(self, unit: str, outcome: str) -> None:
        self._progress.update(self._tasks.pop(unit), description=f"{unit}: {outcome}", total=1, completed=1)
        if not self._tasks:
            self._progress.refresh()

    def stop(self) -> None:
        self._progress.stop()


class Shown:
    """`with Shown(sys.stderr) as reporter:` bars on a terminal, lines anywhere else."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._bars: Bars | None = None

    def __enter__(self) -> Reporter:
        if self._stream.isatty():
            self._bars = Bars(self._stream)
            return self._bars
        return Lines(self._stream)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()
