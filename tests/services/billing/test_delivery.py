"""Nothing lost, nothing twice: the webhook as a process, many deliveries at once, kills, a database in trouble."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from starlette.types import Message, Scope

from catalog.plans import Blueprint
from catalog.services import Service
from sandbox.stripe_events import API_VERSION, Subscription, body_and_headers, event, identifier, subscription_event
from services.billing import PATH
from services.billing.application import BODY_LIMIT_BYTES
from services.billing.inbox import Arrival, Conclusion
from services.billing.settlement import settle
from services.billing.signature import sign
from tests.service_logins import login, make_login
from tests.services.billing import bench
from tests.services.billing.bench import SECRET, Books, Inside
from tests.services.billing.test_effects import CREATED, UPGRADED

pytestmark = pytest.mark.sandbox


def test_a_thousand_deliveries_of_one_event_at_once_have_one_effect(
    own_login: sa.URL, books: Books, tmp_path: Path
) -> None:
    body, headers = body_and_headers(UPGRADED, SECRET)
    # Two processes, so that only the database can tell that it is one event.
    with bench.server(own_login, tmp_path) as one, bench.server(own_login, tmp_path) as other:
        states = bench.a_thousand((one, other), body, headers)
    assert states == {"applied": 1, "duplicate": 999}
    assert (books.plan(), books.states()) == ("pro", {"evt_upgraded": "applied"})
    assert books.operations() == [("acme", "update", "billing", "evt_upgraded")]


def test_many_events_of_many_subscriptions_at_once(own_login: sa.URL, books: Books, tmp_path: Path) -> None:
    """Tenants, subscriptions and customers that several transactions touch in all orders: no deadlock, none lost."""
    tenants = [f"t{number}" for number in range(5)]
    for tenant in tenants:
        books.registry.add(bench.wanted(tenant))
    events = []
    for number in range(200):
        name = tenants[number % 5]
        old = Subscription(
            f"sub_{number % 10}", f"cus_{number % 3}", f"chronos-cloud.{'pro' if number % 20 < 10 else 'starter'}", name
        )
        key = "chronos-cloud.starter" if old.lookup_key.endswith("pro") else "chronos-cloud.pro"
        new = Subscription(old.id, old.customer, key, name)
        events.append(subscription_event("updated", new, old, id=identifier("evt", str(number)), created=number))
    with (
        bench.server(own_login, tmp_path) as one,
        bench.server(own_login, tmp_path) as other,
        ThreadPoolExecutor(20) as pool,
    ):
        answers = list(pool.map(lambda pair: (one, other)[pair[0] % 2].send(pair[1]), enumerate(events)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(books.states()) == 200
    # Number 195 and those after it are the last of the subscription that counts; each buys pro.
    assert {books.plan(tenant) for tenant in tenants} == {"pro"}


@pytest.mark.parametrize(("moment", "kept"), [("before", {}), ("after", {"evt_upgraded": "applied"})])
def test_killed_around_the_commit_then_delivered_again(
    own_login: sa.URL, books: Books, tmp_path: Path, moment: str, kept: dict[str, str]
) -> None:
    dying = bench.server(own_login, tmp_path, "tests.services.billing.dying_server", moment)
    with dying as server:
        with pytest.raises(httpx.TransportError):
            server.send(UPGRADED)
        assert server.process.wait(timeout=60) == -signal.SIGKILL
    assert books.states() == kept
    assert len(books.operations()) == len(kept)
    with bench.server(own_login, tmp_path) as server:
        state = server.send(UPGRADED).json()["state"]
    assert state == ("duplicate" if kept else "applied")
    assert (books.plan(), books.states()) == ("pro", {"evt_upgraded": "applied"})
    assert books.operations() == [("acme", "update", "billing", "evt_upgraded")]


def test_sigterm_lets_what_was_begun_end(own_login: sa.URL, books: Books, tmp_path: Path) -> None:
    with bench.server(own_login, tmp_path) as server, books.engine.begin() as holder:
        holder.execute(sa.text("SELECT 1 FROM tenants WHERE id = 'acme' FOR UPDATE"))
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(server.send, UPGRADED)
            _wait_until_blocked(books)
            server.process.send_signal(signal.SIGTERM)
            holder.rollback()
            assert answer.result().json()["state"] == "applied"
        assert server.process.wait(timeout=60) in (0, -signal.SIGTERM)
    assert books.plan() == "pro"


def _wait_until_blocked(books: Books) -> None:
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'freehold-billing' AND wait_event_type = 'Lock'"
    )
    while books.rows(waiting) == [(0,)]:
        time.sleep(0.02)


def test_a_tenant_that_another_holds_for_long_is_5xx_and_nothing_is_done(webhook: Inside, books: Books) -> None:
    with books.engine.begin() as holder:
        holder.execute(sa.text("SELECT 1 FROM tenants WHERE id = 'acme' FOR UPDATE"))
        assert webhook.send(UPGRADED).status_code == 503
        assert books.states() == {}
    assert webhook.state(UPGRADED) == "applied"


def test_before_its_role_has_rights_events_are_5xx_and_taken_when_they_come_again(
    migrated_database: sa.URL, books: Books
) -> None:
    with bench.inside(make_login(migrated_database, Service.BILLING)) as webhook:
        answers = [webhook.send(one).status_code for one in (UPGRADED, {**UPGRADED, "id": "evt_x", "type": "other"})]
        assert (answers, books.states()) == ([503, 503], {})
        login(migrated_database, Service.BILLING)
        assert webhook.state(UPGRADED) == "applied"


def test_the_database_is_down_then_back(books: Books, own_login: sa.URL) -> None:
    gone = own_login.set(port=1)
    with bench.inside(gone) as webhook:
        answer = webhook.send(UPGRADED)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
        assert answer.json() == {"error": "the event could not be stored; send it again"}
    assert books.states() == {}


def test_connections_that_the_server_ended_are_made_anew(webhook: Inside, books: Books) -> None:
    assert webhook.state(CREATED) == "applied"
    books.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'freehold-billing'")
    assert webhook.state(UPGRADED) == "applied"


@pytest.mark.parametrize("table", ["operations", "billing_inbox", "billing_subscriptions"])
def test_a_full_disk_is_5xx_and_nothing_half_done(webhook: Inside, books: Books, table: str) -> None:
    books.execute(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$"
    )
    books.execute(f"CREATE TRIGGER full_disk BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION full_disk()")
    assert webhook.send(UPGRADED).status_code == 503
    assert (books.plan(), books.operations(), books.states()) == ("starter", [], {})
    assert books.rows("SELECT * FROM billing_subscriptions") == []
    books.execute(f"DROP TRIGGER full_disk ON {table}")
    assert webhook.state(UPGRADED) == "applied"
    assert books.plan() == "pro"


def test_an_effect_that_fails_is_kept_answered_5xx_and_tried_again(own_login: sa.URL, books: Books) -> None:
    broken = True

    def settle_unless_broken(
        connection: sa.Connection, arrivals: Sequence[Arrival], blueprint: Blueprint
    ) -> Mapping[str, Conclusion]:
        done = settle(connection, arrivals, blueprint)
        if broken and any(one.event.id == "evt_upgraded" for one in arrivals):
            raise ZeroDivisionError("a defect")
        return done

    with bench.inside(own_login, settle=settle_unless_broken) as webhook:
        assert webhook.send(UPGRADED).status_code == 500
        assert (books.plan(), books.operations(), books.states()) == ("starter", [], {"evt_upgraded": "received"})
        assert books.reason("evt_upgraded").startswith("ZeroDivisionError: its effect failed")
        assert books.rows("SELECT subject FROM billing_inbox") == [("sub_1",)]  # in whose history it counts
        broken = False
        assert webhook.state(UPGRADED) == "applied"
    assert (books.plan(), books.states()) == ("pro", {"evt_upgraded": "applied"})
    assert len(books.operations()) == 1


def test_nothing_of_an_event_comes_into_the_log(own_login: sa.URL, books: Books, tmp_path: Path) -> None:
    """Not with an error of the database either, which is logged with the statement."""
    books.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '22000'; END $$"
    )
    books.execute("CREATE TRIGGER refuse BEFORE INSERT ON billing_inbox FOR EACH ROW EXECUTE FUNCTION refuse()")
    with bench.server(own_login, tmp_path) as server:
        assert server.send(UPGRADED).status_code == 503
        log = server.log.read_text()
    assert "effect-failed" in log and "INSERT INTO billing_inbox" in log
    for part in (API_VERSION, UPGRADED["request"]["id"], "cus_1"):
        assert part not in log


BAD_BODIES = {
    "empty": b"",
    "truncated": b'{"id": "evt_1", "object": "ev',
    "not UTF-8": b'{"id": "evt_\xff\xfe", "object": "event"}',
    "an array": b"[1, 2]",
    "a number": b"1e400",
    "deeply nested": b'{"data": ' * 100_000 + b"1" + b"}" * 100_000,
    "deeply nested arrays": b"[" * 500_000,
    "no event": b'{"id": "cus_1", "object": "customer"}',
    "an id with a NUL": b'{"id": "evt_\\u0000", "object": "event"}',
    "lone surrogate": b'{"id": "\\ud800"}',
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_bodies_that_are_no_events(webhook: Inside, books: Books, body: bytes) -> None:
    """Signed properly: whoever has the secret may be wrong too."""
    answer = webhook.post(body, signed(body))
    assert answer.status_code == 400
    assert len(answer.text) < 300
    assert books.states() == {}
    assert webhook.state(CREATED) == "applied"


def signed(body: bytes) -> dict[str, str]:
    return {"Stripe-Signature": sign(body, SECRET.encode(), int(time.time()))}


def test_a_deeply_nested_object_in_a_good_event_is_no_trouble(webhook: Inside) -> None:
    nested: dict[str, object] = {}
    for _ in range(150):
        nested = {"deeper": nested}
    assert webhook.state(event("radar.value_list.created", nested, id="evt_deep", created=1)) == "ignored"


def test_a_body_that_is_said_to_be_large_is_refused_before_it_is_sent(
    own_login: sa.URL, books: Books, tmp_path: Path
) -> None:
    headers = f"POST {PATH} HTTP/1.1\r\nHost: webhook\r\nContent-Length: {BODY_LIMIT_BYTES + 1}\r\n\r\n"
    with bench.server(own_login, tmp_path) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
            connection.sendall(headers.encode())
            answer = connection.makefile("rb").read()  # until it hangs up, with nothing of the body sent
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert server.send(CREATED).status_code == 200


@pytest.mark.parametrize(("parts", "read", "status"), [(16, 16, 400), (160, 17, 413)])
def test_a_large_body_in_parts_is_read_up_to_the_limit(webhook: Inside, parts: int, read: int, status: int) -> None:
    asked = 0

    async def receive() -> Message:
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": b" " * (BODY_LIMIT_BYTES // 16), "more_body": asked < parts}

    answered: list[Message] = []

    async def send(message: Message) -> None:
        answered.append(message)

    scope: Scope = {"type": "http", "method": "POST", "path": PATH, "headers": []}
    asyncio.run(webhook.app(scope, receive, send))
    assert (answered[0]["status"], asked) == (status, read)


@pytest.mark.parametrize(
    "header", [None, "", "t=1,v0=abc", "t=now,v1=abc", "t=-1,v1=" + "0" * 64, "t={now},v1=" + "0" * 64]
)
def test_bad_signatures_are_400_and_nothing_is_kept(webhook: Inside, books: Books, header: str | None) -> None:
    header = header and header.replace("{now}", str(int(time.time())))
    body, _ = body_and_headers(UPGRADED, SECRET)
    answer = webhook.post(body, {} if header is None else {"Stripe-Signature": header})
    assert answer.status_code == 400
    assert set(answer.json()) == {"error"}
    assert books.states() == {}


def test_signed_long_ago_or_ahead_of_time(webhook: Inside, books: Books) -> None:
    for away in (-3_600, 3_600):
        assert webhook.post(*body_and_headers(UPGRADED, SECRET, int(time.time()) + away)).status_code == 400
    assert books.states() == {}


def test_other_paths_and_methods(webhook: Inside) -> None:
    async def ask(method: str, path: str) -> int:
        transport = httpx.ASGITransport(webhook.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://webhook") as client:
            return (await client.request(method, path)).status_code

    assert asyncio.run(ask("GET", "/webhooks/stripe")) == 405
    assert asyncio.run(ask("POST", "/")) == 404
