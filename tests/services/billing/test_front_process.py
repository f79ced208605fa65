"""The process stores from its event loop what storing is all for: nothing lost, nothing twice, whatever happens."""

from __future__ import annotations

import itertools
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from sandbox.stripe_events import body_and_headers
from tests import plain_http
from tests.services.billing import bench
from tests.services.billing.bench import SECRET, Books
from tests.services.billing.one_loop import PATIENCE, Witness, alone, held, stored_from_loop
from tests.services.billing.test_effects import CREATED, UPGRADED

pytestmark = pytest.mark.sandbox


def test_a_thousand_deliveries_of_one_event_at_once_are_one_row(
    own_login: sa.URL, books: Books, tmp_path: Path
) -> None:
    witness = Witness(books)
    body, headers = body_and_headers(alone("often"), SECRET)
    with bench.server(own_login, tmp_path) as one, bench.server(own_login, tmp_path) as other:
        stored_from_loop(one, witness)
        stored_from_loop(other, witness)
        before = len(books.states())
        states = bench.a_thousand((one, other), body, headers)
    assert states == {"ignored": 1, "duplicate": 999}
    assert len(books.states()) == before + 1
    assert witness.from_loop()["evt_often"]


def test_sessions_that_are_ended_amid_the_load_lose_nothing(own_login: sa.URL, books: Books, tmp_path: Path) -> None:
    witness, ending = Witness(books), threading.Event()
    answered: list[str] = []
    with bench.server(own_login, tmp_path) as server:
        stored_from_loop(server, witness)

        def load(sender: int) -> None:
            with plain_http.client(timeout=60) as client:
                for number in itertools.count():
                    if ending.is_set():
                        return
                    event = alone(f"{sender}_{number}")
                    body, headers = body_and_headers(event, SECRET)
                    answer = client.post(server.url, content=body, headers=headers)
                    assert (answer.status_code, answer.json()["state"]) in ((200, "ignored"), (200, "duplicate"))
                    answered.append(str(event["id"]))

        with ThreadPoolExecutor(8) as pool:
            senders = [pool.submit(load, sender) for sender in range(8)]
            try:
                for _ in range(3):  # after each the loop gets another connection
                    _until_more(witness)
                    books.rows(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE application_name = 'freehold-billing' AND query LIKE '%INTO billing_inbox%'"
                    )
                _until_more(witness)
            finally:
                ending.set()
            for sender in senders:
                sender.result()
        log = server.log.read_text()
    assert log.count("loop-statement-given-up") >= 3 and "no answer came" not in log
    stored = set(books.states())
    assert set(answered) <= stored
    assert len(answered) == len(set(answered))
    from_loop = witness.from_loop()
    assert len({session for event, session in witness.sessions().items() if from_loop[event]}) >= 4


@pytest.mark.parametrize("moment", ["sent", "stored"])
def test_killed_with_a_statement_under_way(own_login: sa.URL, books: Books, tmp_path: Path, moment: str) -> None:
    """Nobody was answered; delivered again, it is there once."""
    witness, answered = Witness(books), []
    dying = bench.server(own_login, tmp_path, "tests.services.billing.dying_server", moment)
    with dying as server:
        until, last = time.monotonic() + PATIENCE, alone("none")
        for number in itertools.count():
            assert time.monotonic() < until
            last = alone(str(number))
            try:
                assert server.send(last).json() == {"event": last["id"], "state": "ignored"}
            except httpx.TransportError:
                break
            answered.append(last["id"])
            time.sleep(0.02)
        assert server.process.wait(timeout=60) == -signal.SIGKILL
    _until(lambda: books.rows("SELECT 1 FROM pg_stat_activity WHERE application_name = 'freehold-billing'") == [])
    kept = set(books.states())
    assert kept - {last["id"]} == set(answered)
    if moment == "stored":
        assert witness.from_loop()[str(last["id"])]
    with bench.server(own_login, tmp_path) as server:
        state = server.send(last).json()["state"]
    assert state == ("duplicate" if last["id"] in kept else "ignored")
    assert set(books.states()) == {*answered, last["id"]}


def test_sigterm_lets_what_was_begun_end(own_login: sa.URL, books: Books, tmp_path: Path) -> None:
    witness = Witness(books)
    with bench.server(own_login, tmp_path) as server:
        stored_from_loop(server, witness)
        with held(books, "evt_held") as holder, ThreadPoolExecutor(1) as pool:
            answer = pool.submit(server.send, alone("held"))
            _until(lambda: books.rows(_BLOCKED) != [(0,)])
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.2)
            holder.rollback()
            assert answer.result().json()["state"] == "ignored"
        assert server.process.wait(timeout=60) in (0, -signal.SIGTERM)
    assert witness.from_loop()["evt_held"]


_BLOCKED = (
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'freehold-billing' AND wait_event_type = 'Lock'"
)


def test_events_of_both_kinds_at_once(own_login: sa.URL, books: Books, tmp_path: Path) -> None:
    """Those that have an effect are the thread's meanwhile."""
    witness = Witness(books)
    events: list[Mapping[str, object]] = [CREATED, UPGRADED, *(alone(str(number)) for number in range(100))]
    with bench.server(own_login, tmp_path) as server:
        stored_from_loop(server, witness)
        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(server.send, [*events, *events]))
    assert {answer.status_code for answer in answers} == {200}
    states = Counter(str(answer.json()["state"]) for answer in answers)
    assert (states["ignored"], states["duplicate"]) == (100, 102)
    assert books.plan() == "pro"
    told = witness.from_loop()
    assert {told[str(one["id"])] for one in events[2:]} == {True}
    assert not told["evt_created"] and not told["evt_upgraded"]


def _until_more(witness: Witness) -> None:
    """Come from the event loop."""
    seen = witness.count()
    _until(lambda: witness.count() > seen + 20)


def _until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)
