"""Makes events durable: what arrives while the database is busy goes into the next transaction together.

One commit costs a disk's flush, whatever it holds. So a thread takes all that waits, up to a limit, into one
transaction; alone, an event waits for nobody. More threads would be of no use: they make the batches smaller.

Where one event loop serves for long, the events that storing is all for do not come to the thread but where `Front`
leaves them to it: to wake a thread, and the loop again, costs more than the statement.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import psycopg
import sqlalchemy as sa

from catalog.plans import Blueprint
from services.billing.effects import State
from services.billing.front import Front
from services.billing.inbox import Arrival, Conclusion, store, store_alone
from services.billing.settlement import concluded, settle, stands_alone
from services.billing.single_statement import ConnectionDied, single_statement
from services.billing.waiting import Answers, Waiting, distinct, resolve, running_loop, told
from services.logs import correlated, logger

_log = logger(__name__)

_BATCH = 64
_WAITING = 2_000
"""Events that wait at most; past that the answer is to come back later."""

_DATABASE_TROUBLE = (
    sa.exc.OperationalError,
    sa.exc.TimeoutError,
    sa.exc.InterfaceError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    ConnectionDied,
)

Settle = Callable[[sa.Connection, Sequence[Arrival], Blueprint], Mapping[str, Conclusion]]


class Unavailable(Exception):
    """The database cannot take the event now; nothing of it was done."""


class EffectFailed(Exception):
    """The event is stored, what it means could not be carried out."""


class Receiver:
    """Takes events from any number of tasks. `close` ends its thread."""

    def __init__(
        self,
        engine: sa.Engine,
        blueprint: Blueprint,
        *,
        front_engine: sa.Engine | None = None,
        settle: Settle = settle,
    ) -> None:
        """With `front_engine` there is a Front, which has one connection of it."""
        self._engine, self._blueprint, self._settle = engine, blueprint, settle
        # What came in one turn of an event loop is handed over at its end, at once: to wake the thread costs, and
        # the sooner it wakes the less it finds.
        self._turns: dict[asyncio.AbstractEventLoop, list[Waiting]] = {}
        self._queue: queue.SimpleQueue[list[Waiting] | None] = queue.SimpleQueue()
        self._front = Front(front_engine, self._queue.put) if front_engine is not None else None
        self._waiting = 0
        self._thread = threading.Thread(target=self._run, name="inbox", daemon=True)
        self._thread.start()

    @property
    def backlog(self) -> int:
        """Events that wait for a transaction, or for its end."""
        return self._waiting

    async def receive(self, arrival: Arrival) -> Conclusion | None:
        """Returns when the event and its effect are committed; None where that had been done before.

        Raises Unavailable, EffectFailed.
        """
        if self._waiting >= _WAITING:
            raise Unavailable(f"{_WAITING} events are waiting")
        loop = running_loop()
        one = Waiting(arrival, loop.create_future())
        self._waiting += 1
        try:
            turn = self._turns.setdefault(loop, [])
            turn.append(one)
            if len(turn) == 1:
                loop.call_soon(self._hand_over, loop)
            return await one.answer
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Deal with what waits, then end. With a Front in its loop, or when that has ended."""
        if self._front is not None:
            self._front.close()
        self._queue.put(None)
        self._thread.join()

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        turn = self._turns.pop(loop)
        if self._front is not None:
            self._front.take(turn, loop)
        else:
            self._queue.put(turn)

    def _run(self) -> None:
        while (batch := self._queue.get()) is not None:
            ends = False
            while len(batch) < _BATCH and not ends and not self._queue.empty():
                following = self._queue.get()
                ends = following is None
                batch += following or []
            for first in range(0, len(batch), _BATCH):
                self._deal_with(batch[first : first + _BATCH])
            if ends:
                return

    def _deal_with(self, batch: Sequence[Waiting]) -> None:
        arrivals = distinct(batch)
        outcome: dict[str, Conclusion | Exception]
        try:
            outcome = self._outcomes(arrivals)
        except Exception as error:  # whoever waits gets an answer, whatever it was
            _log.exception("batch-failed")
            outcome = {one.event.id: error for one in arrivals}
        answers: dict[asyncio.AbstractEventLoop, Answers] = {}
        for answer, result in told(batch, outcome):
            answers.setdefault(answer.get_loop(), []).append((answer, result))
        for loop, of_loop in answers.items():
            with suppress(RuntimeError):  # the loop has ended: nobody waits any more
                loop.call_soon_threadsafe(resolve, of_loop)

    def _outcomes(self, arrivals: Sequence[Arrival]) -> dict[str, Conclusion | Exception]:
        try:
            return dict(self._commit(arrivals))
        except Exception as error:
            if (unavailable := _unavailable(error)) is not None:
                return {one.event.id: unavailable for one in arrivals}
            if len(arrivals) == 1:
                return {arrivals[0].event.id: self._failed(arrivals[0], error)}
        # One of them cannot be dealt with; the others must not suffer.
        outcomes: dict[str, Conclusion | Exception] = {}
        for one in arrivals:
            outcomes |= self._outcomes([one])
        return outcomes

    def _commit(self, arrivals: Sequence[Arrival]) -> Mapping[str, Conclusion]:
        """In one transaction. Where a connection turns out to be dead it is done once more on another: should the first
        have been committed after all, the events are known by now."""
        try:
            return self._transaction(arrivals)
        except sa.exc.DBAPIError as error:
            if not error.connection_invalidated:
                raise
        except ConnectionDied:
            pass
        return self._transaction(arrivals)

    def _transaction(self, arrivals: Sequence[Arrival]) -> Mapping[str, Conclusion]:
        if stands_alone(arrivals):
            fresh = single_statement(self._engine, lambda connection: store_alone(connection, arrivals))
            return concluded(arrivals, fresh)
        with self._engine.begin() as connection:
            return self._settle(connection, arrivals, self._blueprint)

    def _failed(self, arrival: Arrival, error: Exception) -> Exception:
        """Keep an event whose effect failed, so that it is not lost when Stripe gives up."""
        event = arrival.event.id
        with correlated(event):
            _log.error("effect-failed", type=arrival.event.type, exc_info=error)
            reason = f"{type(error).__name__}: its effect failed; the log has it under this event's id"
            kept = Arrival(arrival.event, arrival.payload, arrival.subject, State.RECEIVED, reason)
            try:
                with self._engine.begin() as connection:
                    store(connection, [kept])
            except sa.exc.SQLAlchemyError as failure:
                return Unavailable(_line(failure))
        return EffectFailed(reason)


def _unavailable(error: Exception) -> Unavailable | None:
    """What is the database's own trouble, and not the event's: connection, disk, memory, a lock that is held."""
    if isinstance(error, _DATABASE_TROUBLE):
        return Unavailable(_line(error))
    return None


def _line(error: Exception) -> str:
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    return (str(cause).strip() or type(error).__name__).splitlines()[0]
