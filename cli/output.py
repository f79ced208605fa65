"""What a person sees: lines and progress bars on standard error, results on standard output."""

from __future__ import annotations

import json
import os
import sys
import textwrap
import threading
import time
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

from rich.cells import cell_len, set_cell_size
from rich.console import Console, RenderableType
from rich.constrain import Constrain
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
)
from rich.table import Column
from rich.text import Text

from fleet.events import Progress as EngineProgress

Json = Any
Observer = Callable[[EngineProgress], None]

_WIDE = 80
"""Columns of a terminal that has room for a long bar."""
_BETWEEN = "  "
_FOLDED = 24
"""Columns that the last cell of a row must have to be folded."""


def console(*, stderr: bool = False) -> Console:
    """A console that obeys NO_COLOR (https://no-color.org) and --no-color, which sets it."""
    return Console(stderr=stderr, no_color=bool(os.environ.get("NO_COLOR")), highlight=False, soft_wrap=True)


def no_color(wanted: bool) -> None:
    """For this process and all that it starts."""
    if wanted:
        os.environ["NO_COLOR"] = "1"


def show_json(content: Json) -> None:
    """One JSON document on standard output."""
    json.dump(content, sys.stdout, indent=2, default=str)
    sys.stdout.write("\n")


def show_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, red: Collection[int] = (), stderr: bool = False
) -> None:
    """A table on standard output; cells are plain text, and what would move the cursor in them is spelt. Columns
    without names have no header; rows of these numbers are red.

    No cell is cut or broken, for names are copied and searched for; but on a terminal with room for it the last column
    is folded.
    """
    out = console(stderr=stderr)
    rows = [[_spelt(cell) for cell in row] for row in rows]
    table = (columns, *rows) if any(columns) else rows
    widths = _widths(table)
    indent = sum(width + len(_BETWEEN) for width in widths)
    room = out.width - indent if out.is_terminal else 0
    styles = {id(rows[number]): "red" for number in red} | {id(columns): "bold"}
    for row in table:
        begin = "".join(set_cell_size(cell, width) + _BETWEEN for cell, width in zip(row, widths, strict=False))
        lines = textwrap.wrap(row[-1], room, break_on_hyphens=False) if room >= _FOLDED else [row[-1]]
        for number, line in enumerate(lines or [""]):
            text = (" " * indent if number else begin) + line
            out.print(text.rstrip(), style=styles.get(id(row)), markup=False)


def _spelt(cell: str) -> str:
    """Without control characters: a tenant's name may hold a line break, or what a terminal takes for a command."""
    return "".join(repr(one)[1:-1] if unicodedata.category(one) == "Cc" else one for one in cell)


def is_narrow(columns: Sequence[str], rows: Sequence[Sequence[str]], *, stderr: bool = False) -> bool:
    """Whether a terminal has room neither for this table nor to fold its last column."""
    out = console(stderr=stderr)
    needed = min(_FOLDED, max(cell_len(row[-1]) for row in (columns, *rows)))
    return out.is_terminal and out.width < sum(width + len(_BETWEEN) for width in _widths((columns, *rows))) + needed


def _widths(table: Sequence[Sequence[str]]) -> list[int]:
    """Of all columns but the last."""
    return [max(map(cell_len, column)) for column in list(zip(*table, strict=True))[:-1]]


def spell(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min 5 s`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"


def moment(when: datetime) -> str:
    """`2026-11-22 20:45 UTC`, as the services' logs have it, wherever whoever looks may be."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


class _Count(ProgressColumn):
    """`3/10`; nothing as long as it is not known how many there are."""

    def render(self, task: Task) -> Text:
        return Text("" if task.total is None else f"{task.completed:.0f}/{task.total:.0f}")


class _Spinner(SpinnerColumn):
    """Turns as long as the bar is there, which may be full and empty again: a preview ends, then the update begins."""

    def render(self, task: Task) -> RenderableType:
        return self.spinner.render(task.get_time())


class _Elapsed(ProgressColumn):
    """Since the step began, whether or not its bar was full meanwhile."""

    def render(self, task: Task) -> Text:
        return Text(str(timedelta(seconds=int(task.elapsed or 0))), style="progress.elapsed")


class _Bars(Progress):
    """Leaves room behind each bar for the `^C` of a terminal, which would else stand on a line of its own."""

    most: int | None = None
    """Columns; all of the terminal's as long as it is not set."""

    def get_renderable(self) -> Constrain:
        return Constrain(super().get_renderable(), self.most)


class Screen:
    """Progress of several things at once: bars on a terminal, a line when each ends elsewhere. Safe from threads.

    The terminal is only drawn on while there is a step: what is asked or printed after it stays where it is.
    """

    def __init__(self) -> None:
        self._console = console(stderr=True)
        self._lock = threading.Lock()
        self._steps = 0
        self._progress = self._bars()
        self.durations: dict[str, float] = {}
        """How long each step took, in seconds, by its name."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()

    def tell(self, line: str) -> None:
        """One line for the person, above the bars."""
        with self._lock:
            self._console.print(f"freehold: {escape(line)}")

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """A part of the work, timed. Its line comes when it has ended well."""
        step = self._begin(name)
        began = time.monotonic()
        try:
            yield step
        finally:
            self._end(step)
        seconds = time.monotonic() - began
        self.durations[name] = seconds
        result = f": {step.result}" if step.result else ""
        self.tell(f"{name}{result} ({spell(seconds)})")

    def _begin(self, name: str) -> Step:
        with self._lock:
            if self._steps == 0:
                self._progress = self._bars()  # one that was stopped would draw over what has been written since
                self._progress.start()
            self._steps += 1
            return Step(self._progress, self._progress.add_task(escape(name), total=None, doing=""))

    def _end(self, step: Step) -> None:
        with self._lock:
            step.remove()
            self._steps -= 1
            if self._steps == 0:
                self._progress.stop()

    def _bars(self) -> Progress:
        bars = _Bars(
            _Spinner(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24 if self._console.width >= _WIDE else 8),
            _Count(),
            _Elapsed(),
            # It is cut where there is too little room, and nothing else.
            TextColumn("[dim]{task.fields[doing]}", table_column=Column(ratio=1, no_wrap=True)),
            expand=True,
            console=self._console,
            transient=True,
            # Standard output is for results, whether or not something is being done; but what others write to standard
            # error meanwhile is to stand above the bars.
            redirect_stdout=False,
            redirect_stderr=True,
            disable=not self._console.is_interactive,
        )
        bars.most = max(1, self._console.width - len("^C"))
        return bars


class Step:
    """One bar. `result` is said when it ends."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task
        self.result = ""

    def remove(self) -> None:
        """Take the bar away."""
        self._progress.remove_task(self._task)

    def doing(self, text: str) -> None:
        """What is being done now, behind the bar."""
        self._progress.update(self._task, doing=escape(text))

    def observe(self, engine: EngineProgress) -> None:
        """Take the bar from the engine's progress: its total is known once the preview is over."""
        phase = "previewing" if engine.previewing and not engine.planned else engine.current
        self.show(engine.done, engine.planned, phase)

    def show(self, done: int, planned: int, doing: str) -> None:
        """So much of the bar; `planned` is 0 as long as it is not known."""
        self._progress.update(self._task, completed=done, total=planned or None, doing=escape(doing))
