"""What the receiver owes to whoever waits for it, whatever becomes of the others: an answer, and an end."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import NoReturn

import psycopg
import pytest
import sqlalchemy as sa

from catalog import blueprints
from catalog.plans import Blueprint
from sandbox.stripe_events import event
from services.billing import receiver
from services.billing.effects import State
from services.billing.event import parse
from services.billing.inbox import Arrival, Conclusion
from services.billing.receiver import Receiver, Unavailable
from services.billing.single_statement import ConnectionDied

PATIENCE = 10.0
DONE = Conclusion(State.APPLIED, "done")


def arrival(name: str, state: State = State.RECEIVED) -> Arrival:
    body = json.dumps(event("customer.subscription.updated", {}, id=name, created=1)).encode()
    return Arrival(parse(body), body, "sub_1", state)


class Held:
    """Settles each batch when the test lets it."""

    def __init__(self) -> None:
        self.begun, self.may = threading.Semaphore(0), threading.Semaphore(0)
        self.batches: list[list[str]] = []

    def __call__(
        self, connection: sa.Connection, arrivals: Sequence[Arrival], blueprint: Blueprint
    ) -> Mapping[str, Conclusion]:
        self.batches.append([one.event.id for one in arrivals])
        self.begun.release()
        assert self.may.acquire(timeout=PATIENCE)
        return {one.event.id: DONE for one in arrivals}


def at_once(connection: sa.Connection, arrivals: Sequence[Arrival], blueprint: Blueprint) -> Mapping[str, Conclusion]:
    return {one.event.id: DONE for one in arrivals}


def of(settle: Callable[..., Mapping[str, Conclusion]]) -> Receiver:
    # Nothing here asks the database for anything but a transaction.
    return Receiver(sa.create_engine("sqlite://"), blueprints.load("chronos-cloud"), settle=settle)


def received(taking: Receiver, one: Arrival) -> Conclusion | None:
    """In an event loop of its own."""
    return asyncio.run(asyncio.wait_for(taking.receive(one), PATIENCE))


@contextmanager
def waiting(taking: Receiver, one: Arrival) -> Iterator[Future[Conclusion | None]]:
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(received, taking, one)


def test_closed_it_first_deals_with_all_that_waits() -> None:
    settle = Held()
    taking = of(settle)
    with waiting(taking, arrival("evt_1")) as first:
        assert settle.begun.acquire(timeout=PATIENCE)
        with waiting(taking, arrival("evt_2")) as second:
            while taking.backlog < 2 or taking._queue.empty():
                time.sleep(0.001)
            closing = threading.Thread(target=taking.close, daemon=True)
            closing.start()
            closing.join(0.05)
            assert closing.is_alive()
            settle.may.release(2)
            assert (first.result(PATIENCE), second.result(PATIENCE)) == (DONE, DONE)
    closing.join(PATIENCE)
    assert not closing.is_alive()
    assert settle.batches == [["evt_1"], ["evt_2"]]
    assert taking.backlog == 0


def test_who_gave_up_waiting_takes_no_answer_from_the_others() -> None:
    settle = Held()
    taking = of(settle)

    async def together() -> Conclusion | None:
        gone = asyncio.create_task(taking.receive(arrival("evt_1")))
        other = asyncio.create_task(taking.receive(arrival("evt_2")))
        await asyncio.to_thread(settle.begun.acquire)
        gone.cancel()
        await asyncio.wait([gone])
        settle.may.release()
        return await asyncio.wait_for(other, PATIENCE)

    assert asyncio.run(together()) == DONE
    assert settle.batches == [["evt_1", "evt_2"]]
    taking.close()


def test_a_loop_that_has_ended_does_not_end_the_receiver() -> None:
    """As that of a function whose call was cut off."""
    settle = Held()
    taking = of(settle)
    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(taking.receive(arrival("evt_1")), 0.02))
    assert settle.begun.acquire(timeout=PATIENCE)
    settle.may.release(2)
    assert received(taking, arrival("evt_2")) == DONE
    taking.close()


def test_whatever_fails_whoever_waits_is_told_and_the_next_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def defective(*_: object) -> NoReturn:
        raise LookupError

    with monkeypatch.context() as trouble:
        trouble.setattr(receiver, "store", defective)
        trouble.setattr(receiver, "concluded", defective)
        taking = of(defective)
        with pytest.raises(LookupError):
            received(taking, arrival("evt_1"))
    taking._settle = at_once
    assert received(taking, arrival("evt_2")) == DONE
    taking.close()


@pytest.mark.parametrize(
    "trouble",
    [
        psycopg.OperationalError("could not extend file: No space left on device"),
        psycopg.InterfaceError("the connection is lost"),
        ConnectionDied("terminating connection"),
        sa.exc.TimeoutError("no connection is free"),
        sa.exc.OperationalError("INSERT", {}, Exception("the database system is shutting down")),
    ],
    ids=lambda error: type(error).__module__ + "." + type(error).__name__,
)
@pytest.mark.parametrize("state", [State.IGNORED, State.RECEIVED])
def test_the_databases_own_trouble_is_no_failure_of_the_event(
    monkeypatch: pytest.MonkeyPatch, trouble: Exception, state: State
) -> None:
    """It is not kept as one whose effect failed, which rings."""
    kept: list[object] = []

    def troubled(*_: object) -> NoReturn:
        raise trouble

    monkeypatch.setattr(receiver, "single_statement", troubled)
    monkeypatch.setattr(receiver, "store", lambda *_: kept.append(_))
    taking = of(troubled)
    with pytest.raises(Unavailable, match=r"^[^\n]+$"):
        received(taking, arrival("evt_1", state))
    taking.close()
    assert kept == []
