"""Before the receiver's thread, in a process that lives long: the events that storing is all for, from its event loop.

What arrives while the statement is under way goes into the next one together. All that is no success is the thread's:
it does it once more, and tells what came of it. Should the first have been committed after all, the events are known
by then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import sqlalchemy as sa

from services.billing.inbox import STORE, STORE_FORMATS, store_values
from services.billing.loop_statement import LoopStatement
from services.billing.settings import CONNECTION_SECONDS
from services.billing.settlement import concluded, stands_alone
from services.billing.waiting import Waiting, distinct, resolve, told
from services.logs import logger

_log = logger(__name__)

_BATCH = 64
_BYTES = 4 * 1024 * 1024
"""Of a batch that has more than one event: while its bodies are put together the loop does nothing else."""


class Front:
    """Of one event loop: the first that has something for it. `otherwise` takes what is left to the thread."""

    def __init__(self, engine: sa.Engine, otherwise: Callable[[list[Waiting]], None]) -> None:
        """`engine` is for its connection alone: whoever waits for one of another pool's must not wait for this one."""
        self._engine, self._otherwise = engine, otherwise
        self._statement: LoopStatement | None = None
        self._waiting: list[Waiting] = []
        self._under_way: list[Waiting] = []

    def take(self, turn: Sequence[Waiting], loop: asyncio.AbstractEventLoop) -> None:
        """What came in one turn of `loop`, in which this is called."""
        if self._statement is None:
            self._statement = LoopStatement(
                loop, self._engine, STORE, STORE_FORMATS, connection_seconds=CONNECTION_SECONDS
            )
        here = self._statement.loop is loop
        others: list[Waiting] = []
        for one in turn:
            (self._waiting if here and stands_alone([one.arrival]) else others).append(one)
        if others:
            self._otherwise(others)
        if here and not self._under_way:
            self._next(self._statement)

    def close(self) -> None:
        """What waits is left to the thread. In its loop, or when that has ended."""
        if self._statement is not None:
            self._statement.close()
        self._leave_to_the_thread()

    def _next(self, statement: LoopStatement) -> None:
        if not self._waiting:
            return
        self._under_way = self._cut()
        try:
            begun = statement.begin(store_values(distinct(self._under_way)), self._done)
        except Exception:
            _log.exception("front-failed")
            begun = False
        if not begun:
            self._leave_to_the_thread()

    def _cut(self) -> list[Waiting]:
        count, size = 0, 0
        for one in self._waiting[:_BATCH]:
            size += len(one.arrival.payload)
            if count and size > _BYTES:
                break
            count += 1
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return batch

    def _done(self, fresh: Sequence[bytes] | None) -> None:
        if fresh is None:
            self._leave_to_the_thread()
            return
        try:
            outcome = concluded(distinct(self._under_way), {one.decode() for one in fresh})
            resolve(told(self._under_way, outcome))
        except Exception:  # whoever waits gets an answer
            _log.exception("front-failed")
            self._leave_to_the_thread()
            return
        self._under_way = []
        assert self._statement is not None
        self._next(self._statement)

    def _leave_to_the_thread(self) -> None:
        left, self._under_way, self._waiting = self._under_way + self._waiting, [], []
        if left:
            self._otherwise(left)
