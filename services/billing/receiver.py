"""Makes events durable: what arrives while the database is busy goes into the next transaction together.

One commit costs a disk's flush, whatever it holds. So a thread takes all that waits, up to a limit, into one
transaction; alone, an event waits for nobody. More threads are of no use: they only make the batches smaller.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from catalog.plans import Blueprint
from services.billing.effects import State
from services.billing.inbox import Arrival, Conclusion, store
from services.billing.settlement import settle, stands_alone
from services.logs import correlated, logger

_log = logger(__name__)

_BATCH = 64
_WAITING = 2_000
"""Events that wait at most; past that the answer is to come back later."""

Settle = Callable[[sa.Connection, Sequence[Arrival], Blueprint], Mapping[str, Conclusion]]


class Unavailable(Exception):
    """The database cannot take the event now; nothing of it was done."""


class EffectFailed(Exception):
    """The event is stored, what it means could not be carried out."""


@dataclass(frozen=True)
class _Waiting:
    arrival: Arrival
    done: Callable[[Conclusion | Exception | None], None] = field(compare=False)


class Receiver:
    """Takes events from any number of tasks of one or more event loops. `close` ends its threads."""

    def __init__(self, engine: sa.Engine, blueprint: Blueprint, *, threads: int = 1, settle: Settle = settle) -> None:
        self._engine, self._blueprint, self._settle = engine, blueprint, settle
        self._single = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._queue: queue.Queue[_Waiting | None] = queue.Queue(_WAITING)
        self._threads = [threading.Thread(target=self._run, name=f"inbox-{n}", daemon=True) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    @property
    def backlog(self) -> int:
        """Events that wait for a transaction."""
        return self._queue.qsize()

    async def receive(self, arrival: Arrival) -> Conclusion | None:
        """Returns when the event and its effect are committed; None where that had been done before.

        Raises Unavailable, EffectFailed.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Conclusion | None] = loop.create_future()

        def resolve(result: Conclusion | Exception | None) -> None:
            if answer.done():
                return
            if isinstance(result, Exception):
                answer.set_exception(result)
            else:
                answer.set_result(result)

        def done(result: Conclusion | Exception | None) -> None:
            loop.call_soon_threadsafe(resolve, result)

        try:
            self._queue.put_nowait(_Waiting(arrival, done))
        except queue.Full:
            raise Unavailable(f"{_WAITING} events are waiting") from None
        return await answer

    def close(self) -> None:
        """Deal with what waits, then end."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            batch, ends = [first], False
            while len(batch) < _BATCH:
                try:
                    following = self._queue.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    ends = True
                    break
                batch.append(following)
            self._deal_with(batch)
            if ends:
                return

    def _deal_with(self, batch: Sequence[_Waiting]) -> None:
        # Deliveries of one event in one batch are one event.
        arrivals = {one.arrival.event.id: one.arrival for one in batch}
        try:
            outcome = self._outcomes(list(arrivals.values()))
        except Exception as error:  # whoever waits gets an answer, whatever it was
            _log.exception("batch-failed")
            outcome = dict.fromkeys(arrivals, error)
        told: set[str] = set()
        for one in batch:
            event = one.arrival.event.id
            result = outcome.get(event)
            # The first delivery tells what became of it, the others that it had been done.
            one.done(None if event in told and isinstance(result, Conclusion) else result)
            told.add(event)

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
        return self._transaction(arrivals)

    def _transaction(self, arrivals: Sequence[Arrival]) -> Mapping[str, Conclusion]:
        # A statement by itself is durable in one round trip instead of three.
        engine = self._single if stands_alone(arrivals) else self._engine
        with engine.begin() as connection:
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
    if isinstance(error, sa.exc.OperationalError | sa.exc.TimeoutError | sa.exc.InterfaceError):
        return Unavailable(_line(error))
    return None


def _line(error: Exception) -> str:
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    return (str(cause).strip() or type(error).__name__).splitlines()[0]
