"""Events that storing is all for, from the event loop."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from dataclasses import replace
from hashlib import sha256

import pytest
import sqlalchemy as sa

from services.billing import loop_statement
from services.billing.effects import State
from services.billing.inbox import Conclusion
from services.billing.loop_statement import LoopStatement
from tests.services.billing.bench import Books
from tests.services.billing.one_loop import (
    FIVE,
    IDS,
    PATIENCE,
    OneLoop,
    Witness,
    alone,
    begun,
    held,
    one_loop,
    states,
    stored,
)
from tests.services.billing.test_effects import UPGRADED

pytestmark = pytest.mark.sandbox


def test_they_are_stored_from_the_loop_and_the_others_by_the_thread(
    in_loop: OneLoop, books: Books, witness: Witness
) -> None:
    answers = in_loop.together([FIVE[0], UPGRADED, FIVE[1], FIVE[0]])
    assert states(answers) == [State.IGNORED, State.APPLIED, State.IGNORED, None]
    assert witness.from_loop() == {"evt_warm": False, "evt_0": True, "evt_1": True, "evt_upgraded": False}
    assert states(in_loop.together(FIVE)) == [None, None, *[State.IGNORED] * 3]
    assert (stored(books), books.plan()) == (IDS | {"evt_upgraded"}, "pro")
    bodies = dict(books.rows("SELECT id, payload FROM billing_inbox"))
    assert [bytes(bodies[one["id"]]) for one in FIVE] == [in_loop.body(one) for one in FIVE]


def test_of_another_loop_they_are_the_threads(in_loop: OneLoop, witness: Witness) -> None:
    assert in_loop.state(FIVE[0]) == "ignored"
    in_loop.together(FIVE[1:2])
    assert witness.from_loop() == {"evt_warm": False, "evt_0": False, "evt_1": True}


def test_what_comes_while_the_statement_is_under_way_goes_into_the_next_together(
    in_loop: OneLoop, books: Books, witness: Witness
) -> None:
    async def come(holder: sa.Connection) -> list[Conclusion | None]:
        tasks = await begun(in_loop, FIVE[0])
        for one in FIVE[1:]:
            tasks += await begun(in_loop, one)
        assert in_loop.receiver.backlog == 5
        holder.rollback()
        return await asyncio.gather(*tasks)

    with held(books, "evt_0") as holder:
        assert states(in_loop.run(come(holder))) == [State.IGNORED] * 5
    assert witness.transactions() == {frozenset({"evt_warm"}), frozenset({"evt_0"}), frozenset(IDS - {"evt_0"})}
    assert all(witness.from_loop()[name] for name in IDS)
    assert in_loop.receiver.backlog == 0


def test_who_gave_up_waiting_takes_no_answer_from_the_others(in_loop: OneLoop, books: Books, witness: Witness) -> None:
    async def come(holder: sa.Connection) -> list[Conclusion | None]:
        under_way = await begun(in_loop, FIVE[0], FIVE[1])
        waiting = await begun(in_loop, FIVE[2], FIVE[3])
        for gone in (under_way[0], waiting[0]):
            gone.cancel()
        await asyncio.wait([under_way[0], waiting[0]])
        holder.rollback()
        return [await under_way[1], await waiting[1]]

    with held(books, "evt_0") as holder:
        assert states(in_loop.run(come(holder))) == [State.IGNORED] * 2
    assert stored(books) == IDS - {"evt_4"}
    assert all(witness.from_loop()[name] for name in stored(books))


def test_what_is_answered_is_on_disk_whatever_the_database_is_set_to(own_login: sa.URL, books: Books) -> None:
    books.execute(f'ALTER DATABASE "{own_login.database}" SET synchronous_commit = off')
    books.execute("CREATE TABLE told (event text, value text)")
    books.execute(
        "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS "
        "$$ BEGIN INSERT INTO told VALUES (NEW.id, current_setting('synchronous_commit')); RETURN NULL; END $$"
    )
    books.execute("CREATE TRIGGER tell AFTER INSERT ON billing_inbox FOR EACH ROW EXECUTE FUNCTION tell()")
    with one_loop(own_login) as webhook:
        webhook.together(FIVE[:1])
        assert webhook.connected
    assert books.rows("SELECT event, value FROM told") == [("evt_warm", "on"), ("evt_0", "on")]


def test_a_connection_serves_for_its_time(in_loop: OneLoop, witness: Witness) -> None:
    in_loop.together(FIVE[:1])
    assert in_loop.statement._way is not None
    in_loop.statement._way = replace(in_loop.statement._way, until=0.0)
    in_loop.together(FIVE[1:2])
    in_loop.until(lambda: in_loop.connected)
    in_loop.together(FIVE[2:3])
    told, sessions = witness.from_loop(), witness.sessions()
    assert [told[name] for name in ("evt_0", "evt_1", "evt_2")] == [True, False, True]
    assert sessions["evt_0"] != sessions["evt_2"]


def test_large_bodies_go_as_the_socket_takes_them_and_the_loop_does_other_things_meanwhile(
    in_loop: OneLoop, books: Books, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To a server process that reads nothing for a while."""
    assert in_loop.statement._way is not None
    session = in_loop.statement._way.pg.backend_pid
    in_loop.shrink()
    step, steps = LoopStatement._step, 0

    def counted(statement: LoopStatement) -> None:
        nonlocal steps
        steps += 1
        step(statement)

    monkeypatch.setattr(LoopStatement, "_step", counted)
    events = [alone(f"large_{number}", text=str(number) * 1_000_000) for number in range(9)]

    async def come() -> list[Conclusion | None]:
        os.kill(session, signal.SIGSTOP)
        try:
            tasks = await begun(in_loop, *events)
            await asyncio.sleep(0.1)
            before = steps
            await asyncio.sleep(0.3)
            assert in_loop.statement._sending
            assert steps - before < 30  # and not as often as the loop can
        finally:
            os.kill(session, signal.SIGCONT)
        return await asyncio.gather(*tasks)

    assert states(in_loop.run(come())) == [State.IGNORED] * 9
    assert all(told for name, told in witness.from_loop().items() if name != "evt_warm")
    assert not in_loop.statement._sending
    kept = {name: bytes(digest) for name, digest in books.rows("SELECT id, sha256(payload) FROM billing_inbox")}
    assert [kept[str(one["id"])] for one in events] == [sha256(in_loop.body(one)).digest() for one in events]


def test_closed_it_leaves_what_waits_to_the_thread_which_ends_then(in_loop: OneLoop, books: Books) -> None:
    async def come() -> list[Conclusion | None]:
        with held(books, "evt_0") as holder:
            tasks = await begun(in_loop, FIVE[0])
            tasks += await begun(in_loop, *FIVE[1:])
            # While it closes, which waits for the thread.
            later = threading.Timer(0.2, holder.rollback)
            later.start()
            in_loop.receiver.close()
            later.join()
        return await asyncio.gather(*tasks)

    answers = states(in_loop.run(come()))
    # The first was sent: it may be stored before it is sent again.
    assert answers[0] in (State.IGNORED, None)
    assert answers[1:] == [State.IGNORED] * 4
    assert stored(books) == IDS
    mine = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'freehold-billing'"
    until = time.monotonic() + PATIENCE
    in_loop.engine.dispose()
    while books.rows(mine) != [(0,)]:
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("goes_on", [True, False], ids=["and the loop goes on", "and that of the loop"])
def test_a_connection_that_comes_after_the_end_is_closed(
    own_login: sa.URL, monkeypatch: pytest.MonkeyPatch, goes_on: bool
) -> None:
    may, made = threading.Event(), []
    prepared = loop_statement._prepared

    def late(engine: sa.Engine, statement: bytes) -> object:
        assert may.wait(PATIENCE)
        made.append(prepared(engine, statement))
        return made[0]

    monkeypatch.setattr(loop_statement, "_prepared", late)
    webhook = OneLoop(own_login)
    webhook.together(FIVE[:1])
    if not goes_on:
        webhook.close()
    webhook.receiver.close()
    may.set()
    until = time.monotonic() + PATIENCE
    while not (made and made[0].closed):
        assert time.monotonic() < until
        if goes_on:
            webhook.run(asyncio.sleep(0))
        time.sleep(0.01)
    if goes_on:
        webhook.close()
