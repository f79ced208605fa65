"""Events that come at once share a transaction, and nothing else: not a failure, not an answer."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import LiteralString

import httpx
import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.plans import Blueprint
from sandbox.stripe_events import event
from services.billing.effects import State
from services.billing.inbox import Arrival, Conclusion
from services.billing.receiver import EffectFailed, Unavailable
from services.billing.settlement import settle
from services.billing.single_statement import Connection, single_statement
from tests.services.billing import bench
from tests.services.billing.bench import Books, Inside, wanted
from tests.services.billing.test_effects import CREATED, DOWNGRADED, UPGRADED
from tests.services.billing.test_history import Life, lives

pytestmark = pytest.mark.sandbox

UNKNOWN = [event("radar.early_fraud_warning.created", {}, id=f"evt_{number}", created=1) for number in range(5)]


class Settling:
    """`settle`, as a transaction carries it out, until it is told to do otherwise."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.defect: str | None = None
        """The id of an event that cannot be dealt with."""
        self.deaths = 0
        """How often the connection dies before it commits."""

    def __call__(
        self, connection: sa.Connection, arrivals: Sequence[Arrival], blueprint: Blueprint
    ) -> Mapping[str, Conclusion]:
        ids = [one.event.id for one in arrivals]
        self.batches.append(ids)
        done = settle(connection, arrivals, blueprint)
        if self.defect in ids:
            raise ZeroDivisionError("a defect")
        if self.deaths:
            self.deaths -= 1
            connection.execute(sa.text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return done


def _states(answers: Sequence[Conclusion | BaseException | None]) -> list[object]:
    return [one.state if isinstance(one, Conclusion) else one and type(one) for one in answers]


def test_what_comes_at_once_is_one_transaction(own_login: sa.URL, books: Books) -> None:
    settling = Settling()
    with bench.inside(own_login, settle=settling) as webhook:
        answers = webhook.together([UPGRADED, UNKNOWN[0], CREATED])
    assert settling.batches == [["evt_upgraded", "evt_0", "evt_created"]]
    assert _states(answers) == [State.APPLIED, State.IGNORED, State.STALE]
    moments = books.rows("SELECT DISTINCT received_at FROM billing_inbox")
    assert len(moments) == 1  # the transaction's
    assert (books.plan(), len(books.operations())) == ("pro", 1)


def test_two_deliveries_of_one_event_in_a_batch_are_one(webhook: Inside, books: Books) -> None:
    answers = webhook.together([UPGRADED, UNKNOWN[0], UPGRADED, UNKNOWN[0], UPGRADED])
    assert _states(answers) == [State.APPLIED, State.IGNORED, None, None, None]
    assert (books.plan(), len(books.operations())) == ("pro", 1)
    assert books.states() == {"evt_upgraded": "applied", "evt_0": "ignored"}
    assert _states(webhook.together([UPGRADED, UNKNOWN[0], UNKNOWN[0]])) == [None, None, None]


def test_an_event_that_cannot_be_dealt_with_fails_alone(own_login: sa.URL, books: Books) -> None:
    books.registry.add(wanted("zeta"))
    settling = Settling()
    settling.defect = "evt_upgraded"
    with bench.inside(own_login, settle=settling) as webhook:
        answers = webhook.together([CREATED, UPGRADED, UNKNOWN[0], UPGRADED])
        assert _states(answers) == [State.APPLIED, EffectFailed, State.IGNORED, EffectFailed]
        assert books.states() == {"evt_created": "applied", "evt_upgraded": "received", "evt_0": "ignored"}
        assert (books.plan(), books.operations()) == ("starter", [])
        settling.defect = None
        assert _states(webhook.together([CREATED, UPGRADED])) == [None, State.APPLIED]
    assert (books.plan(), len(books.operations())) == ("pro", 1)


def test_a_row_that_the_database_refuses_fails_alone(webhook: Inside, books: Books) -> None:
    """Where storing is all there is to do."""
    books.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN IF NEW.id = 'evt_2' THEN RAISE EXCEPTION 'no' USING ERRCODE = '22000'; END IF; RETURN NEW; END $$"
    )
    books.execute("CREATE TRIGGER refuse BEFORE INSERT ON billing_inbox FOR EACH ROW EXECUTE FUNCTION refuse()")
    answers = webhook.together(UNKNOWN)
    assert _states(answers) == [State.IGNORED, State.IGNORED, Unavailable, State.IGNORED, State.IGNORED]
    assert set(books.states()) == {"evt_0", "evt_1", "evt_3", "evt_4"}
    books.execute("DROP TRIGGER refuse ON billing_inbox")
    assert _states(webhook.together(UNKNOWN)) == [None, None, State.IGNORED, None, None]


@pytest.mark.parametrize(("deaths", "state"), [(1, State.APPLIED), (2, Unavailable)])
def test_the_connection_dies_in_a_batch(own_login: sa.URL, books: Books, deaths: int, state: object) -> None:
    """Once: another takes over. Again: nothing of the batch is kept, and all of it is to be sent again."""
    settling = Settling()
    settling.deaths = deaths
    with bench.inside(own_login, settle=settling) as webhook:
        answers = webhook.together([UPGRADED, UNKNOWN[0]])
        assert _states(answers) == [state, state if deaths == 2 else State.IGNORED]
        if deaths == 2:
            assert (books.states(), books.operations(), books.plan()) == ({}, [], "starter")
            assert _states(webhook.together([UPGRADED, UNKNOWN[0]])) == [State.APPLIED, State.IGNORED]
    assert (books.plan(), len(books.operations())) == ("pro", 1)


@pytest.mark.parametrize("statement", ["SELECT 1 / 0", "SELECT 1"])
def test_after_a_statement_that_failed_transactions_are_whole(
    webhook: Inside, books: Books, statement: LiteralString
) -> None:
    """On the same connection, whether the server refused it or what was to be made of its rows failed."""

    def work(connection: Connection) -> object:
        return connection.execute(statement).fetchall()[1]

    with pytest.raises((psycopg.errors.DivisionByZero, IndexError)):
        single_statement(webhook.engine, work)
    with pytest.raises(ZeroDivisionError), webhook.engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO billing_inbox (id) SELECT 'evt_half' WHERE false"))
        assert not connection.connection.driver_connection.autocommit  # type: ignore[union-attr]
        raise ZeroDivisionError
    assert books.states() == {}


def test_the_connection_dies_while_it_stores(webhook: Inside, books: Books) -> None:
    books.execute(
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$"
    )
    books.execute("CREATE TRIGGER die AFTER INSERT ON billing_inbox FOR EACH ROW EXECUTE FUNCTION die()")
    assert _states(webhook.together(UNKNOWN)) == [Unavailable] * 5
    assert books.states() == {}
    books.execute("DROP TRIGGER die ON billing_inbox")
    assert _states(webhook.together(UNKNOWN)) == [State.IGNORED] * 5


def test_connections_that_the_server_ended_do_not_lose_a_batch(webhook: Inside, books: Books) -> None:
    assert _states(webhook.together(UNKNOWN[:2])) == [State.IGNORED] * 2
    books.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'freehold-billing'")
    assert _states(webhook.together(UNKNOWN)) == [None, None, *[State.IGNORED] * 3]


def test_nor_where_it_ended_all_of_them_at_once(webhook: Inside, books: Books) -> None:
    """As when the server fails over: the one that the readiness check has used too."""
    with webhook.engine.connect() as one, webhook.engine.connect() as other:
        assert one.scalar(sa.text("SELECT 1")) == other.scalar(sa.text("SELECT 1"))
    books.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'freehold-billing'")
    assert _states(webhook.together(UNKNOWN)) == [State.IGNORED] * 5


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_around_the_commit_of_a_batch(own_login: sa.URL, books: Books, tmp_path: Path, moment: str) -> None:
    """Nobody was answered; delivered again, each has its effect once."""
    events = [CREATED, UPGRADED, DOWNGRADED, *UNKNOWN]
    with bench.server(own_login, tmp_path, "tests.services.billing.dying_server", moment) as server:

        def send(one: Mapping[str, object]) -> int | None:
            try:
                return server.send(one).status_code
            except httpx.TransportError:
                return None

        with ThreadPoolExecutor(len(events)) as pool:
            answers = dict(zip((one["id"] for one in events), pool.map(send, events), strict=True))
        assert server.process.wait(timeout=60) == -signal.SIGKILL
    kept = books.states()
    assert {name for name, status in answers.items() if status is not None} <= set(kept)
    with bench.server(own_login, tmp_path) as server:
        for one in events:
            answer = server.send(one)
            assert answer.status_code == 200
            assert (answer.json()["state"] == "duplicate") == (one["id"] in kept)
    assert set(books.states()) == {one["id"] for one in events}
    assert "received" not in books.states().values()
    assert books.plan() == "starter"
    keys = books.rows("SELECT idempotency_key FROM operations")
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("what", [[UPGRADED], UNKNOWN])
def test_what_is_answered_is_on_disk_whatever_the_database_is_set_to(
    own_login: sa.URL, books: Books, what: Sequence[Mapping[str, object]]
) -> None:
    books.execute(f'ALTER DATABASE "{own_login.database}" SET synchronous_commit = off')
    books.execute("CREATE TABLE told (value text)")
    books.execute(
        "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS "
        "$$ BEGIN INSERT INTO told VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$"
    )
    books.execute("CREATE TRIGGER tell AFTER INSERT ON billing_inbox EXECUTE FUNCTION tell()")
    with bench.inside(own_login) as webhook:
        webhook.together(what)
    assert books.rows("SELECT DISTINCT value FROM told") == [("on",)]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_any_division_into_batches_brings_the_tenant_to_the_same(
    webhook: Inside, books: Books, data: st.DataObject
) -> None:
    """In any order, with repetitions within a batch and across, against what happens one by one in order."""
    histories: list[Life] = [data.draw(lives("sub_1")), data.draw(lives("sub_2"))]
    happened = [one for life in histories for one in life.events] + UNKNOWN[:2]
    arrived = data.draw(st.permutations([*happened, *data.draw(st.lists(st.sampled_from(happened), max_size=5))]))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(arrived)), max_size=4)) | {0, len(arrived)})
    batches = [arrived[start:end] for start, end in pairwise(cuts)]
    ends = []
    for way in ([[one] for one in happened], batches):
        books.empty("billing_inbox", "billing_subscriptions", "operations")
        books.registry.want(wanted("acme"))
        answers = [one for batch in way for one in webhook.together(batch)]
        assert not [one for one in answers if isinstance(one, BaseException)]
        told: dict[str, list[State]] = {str(one["id"]): [] for one in happened}
        for one, answer in zip((one for batch in way for one in batch), answers, strict=True):
            if isinstance(answer, Conclusion):
                told[str(one["id"])].append(answer.state)
        # Each is dealt with once, and once more when it comes again for as long as it was unmatched.
        assert all(told.values())
        assert {state for states in told.values() for state in states[:-1]} <= {State.UNMATCHED}
        ends.append(
            (books.plan(), books.rows("SELECT id, status, plan, latest FROM billing_subscriptions ORDER BY id"))
        )
    assert ends[0] == ends[1]
