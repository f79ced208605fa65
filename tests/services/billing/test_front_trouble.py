"""The event loop's own way tells success alone: whatever goes wrong is the thread's, and nothing is lost."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import replace
from itertools import pairwise

import pytest
import sqlalchemy as sa

from services.billing import loop_statement
from services.billing.effects import State
from services.billing.receiver import Unavailable
from tests.services.billing.bench import Books
from tests.services.billing.one_loop import (
    FIVE,
    IDS,
    OneLoop,
    Witness,
    states,
    stored,
)
from tests.services.billing.test_failover import only_read

pytestmark = pytest.mark.sandbox


def test_a_row_that_the_database_refuses_fails_alone(in_loop: OneLoop, books: Books, witness: Witness) -> None:
    books.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN IF NEW.id = 'evt_2' THEN RAISE EXCEPTION 'no' USING ERRCODE = '22000'; END IF; RETURN NEW; END $$"
    )
    books.execute("CREATE TRIGGER refuse BEFORE INSERT ON billing_inbox FOR EACH ROW EXECUTE FUNCTION refuse()")
    ignored = State.IGNORED
    assert states(in_loop.together(FIVE)) == [ignored, ignored, Unavailable, ignored, ignored]
    assert stored(books) == IDS - {"evt_2"}
    assert not any(witness.from_loop().values())


def test_a_transaction_that_fails_at_its_end_is_no_success(in_loop: OneLoop, books: Books) -> None:
    """The server has told the rows by then."""
    books.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '53100'; END $$"
    )
    books.execute(
        "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON billing_inbox DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    assert states(in_loop.together(FIVE)) == [Unavailable] * 5
    assert stored(books) == set()
    books.execute("DROP TRIGGER refuse ON billing_inbox")
    assert states(in_loop.together(FIVE)) == [State.IGNORED] * 5


def test_the_connection_dies_while_it_stores(in_loop: OneLoop, books: Books, witness: Witness) -> None:
    """The event loop's own: the thread's goes on."""
    books.execute(
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS "
        "$$ BEGIN IF EXISTS (SELECT FROM pg_prepared_statements WHERE name = 'from_loop') THEN "
        "PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN NEW; END $$"
    )
    books.execute("CREATE TRIGGER die AFTER INSERT ON billing_inbox FOR EACH ROW EXECUTE FUNCTION die()")
    assert states(in_loop.together(FIVE)) == [State.IGNORED] * 5
    assert not in_loop.connected
    assert not any(witness.from_loop().values())


def test_it_is_connected_again_after_the_server_ended_all(
    in_loop: OneLoop, books: Books, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_statement, "_PAUSE_SECONDS", 0.05)
    books.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'freehold-billing'")
    in_loop.until(lambda: not in_loop.connected)  # told by its socket, as nothing was sent
    assert states(in_loop.together(FIVE[:1])) == [State.IGNORED]
    time.sleep(0.05)
    assert states(in_loop.together(FIVE[1:2])) == [State.IGNORED]
    in_loop.until(lambda: in_loop.connected)
    assert states(in_loop.together(FIVE[2:3])) == [State.IGNORED]
    told = witness.from_loop()
    assert [told[name] for name in ("evt_0", "evt_1", "evt_2")] == [False, False, True]


def test_nor_is_a_batch_lost_that_was_sent_to_a_session_that_had_ended(in_loop: OneLoop, books: Books) -> None:
    books.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'freehold-billing'")
    time.sleep(0.2)
    assert in_loop.connected  # the loop has not run
    assert states(in_loop.together(FIVE)) == [State.IGNORED] * 5
    assert stored(books) == IDS


def test_a_socket_that_the_loop_watches_no_more_is_watched_again(
    in_loop: OneLoop, books: Books, witness: Witness, capsys: pytest.CaptureFixture[str]
) -> None:
    """As uvloop's where it was reset, which then refuses: it would be waited for in vain."""
    way = in_loop.statement._way
    assert way is not None
    in_loop.statement.loop.remove_reader(way.socket)
    assert states(in_loop.together(FIVE)) == [State.IGNORED] * 5
    assert stored(books) == IDS
    assert all(witness.from_loop()[name] for name in IDS)
    assert "no answer came" not in capsys.readouterr().out


def test_a_server_that_only_reads_is_left(in_loop: OneLoop, books: Books, witness: Witness) -> None:
    way = in_loop.statement._way
    assert way is not None
    way.pg.exec_(b"SET default_transaction_read_only = on")
    assert states(in_loop.together(FIVE)) == [State.IGNORED] * 5
    assert not in_loop.connected
    assert not any(witness.from_loop().values())


def test_nor_is_such_a_server_connected_to(
    in_loop: OneLoop, books: Books, own_login: sa.URL, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_statement, "_PAUSE_SECONDS", 0.0)
    with only_read(books, own_login):
        assert in_loop.statement._way is not None
        in_loop.statement._way = replace(in_loop.statement._way, until=0.0)
        in_loop.together(FIVE[:1])
        in_loop.until(lambda: not in_loop.statement._connecting)
        assert not in_loop.connected
    in_loop.together(FIVE[1:2])
    in_loop.until(lambda: in_loop.connected)
    in_loop.together(FIVE[2:3])
    assert witness.from_loop()["evt_2"]


def test_while_the_database_is_down_events_are_to_be_sent_again_and_few_connections_are_tried(
    own_login: sa.URL, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[float] = []
    prepared = loop_statement._prepared

    def counted(*arguments: sa.Engine | bytes) -> object:
        tried.append(time.monotonic())
        return prepared(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(loop_statement, "_prepared", counted)
    webhook = OneLoop(own_login.set(port=1))
    until = time.monotonic() + 2.5
    count = 0
    while time.monotonic() < until:
        assert states(webhook.together(FIVE[:2])) == [Unavailable] * 2
        count += 1
    webhook.close()
    assert count > 10
    assert len(tried) >= 2
    assert all(later - earlier >= 0.9 for earlier, later in pairwise(tried))
    assert stored(books) == set()


def test_where_there_is_no_thread_for_a_connection_it_is_made_later(
    own_login: sa.URL, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a container has as many processes and threads as it may."""
    monkeypatch.setattr(loop_statement, "_PAUSE_SECONDS", 0.05)

    class NoThread(threading.Thread):
        def start(self) -> None:
            raise RuntimeError("can't start new thread")

    webhook = OneLoop(own_login)
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(threading, "Thread", NoThread)
        assert states(webhook.together(FIVE[:1])) == [State.IGNORED]
    time.sleep(0.05)
    assert states(webhook.together(FIVE[1:2])) == [State.IGNORED]
    webhook.until(lambda: webhook.connected)
    webhook.close()
    assert stored(books) == {"evt_0", "evt_1"}


def test_a_server_process_that_answers_nothing_is_not_waited_for(
    in_loop: OneLoop, books: Books, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_statement, "_ANSWER_SECONDS", 0.3)
    assert in_loop.statement._way is not None
    session = in_loop.statement._way.pg.backend_pid
    os.kill(session, signal.SIGSTOP)
    try:
        assert states(in_loop.together(FIVE)) == [State.IGNORED] * 5
        assert not any(witness.from_loop().values())
    finally:
        os.kill(session, signal.SIGCONT)
    in_loop.until(lambda: not books.rows(f"SELECT 1 FROM pg_stat_activity WHERE pid = {session}"))
    assert stored(books) == IDS
