"""Ctrl-C while engines run: the first asks them to stop, the second ends them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from errors import FreeholdError


class Interrupted(FreeholdError):
    """The person pressed Ctrl-C (or sent SIGTERM); what the engine had made is in the state."""

    def __init__(self, where: str) -> None:
        super().__init__("interrupted", where=where, mend="run it again: it goes on from there")


class Interrupts:
    """How often Ctrl-C was pressed since the outermost `caught` began; read by any thread."""

    def __init__(self) -> None:
        self.count = 0
        self._untold: Callable[[str], None] | None = None

    @contextmanager
    def caught(self, tell: Callable[[str], None]) -> Iterator[None]:
        """Count SIGINT and SIGTERM instead of raising KeyboardInterrupt. Outside the main thread it does nothing."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(number: int, frame: FrameType | None) -> None:
            # Nothing is told here: a line may be half printed, and whoever prints it holds the lock for that.
            self.count += 1
            if self.count == 1:
                self._untold = tell

        previous = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def announce(self) -> None:
        """Tell once that the first Ctrl-C was seen. For whoever watches the engine."""
        tell, self._untold = self._untold, None
        if tell is not None:
            tell("stopping: the engine finishes what it is doing (Ctrl-C again ends it at once)")
