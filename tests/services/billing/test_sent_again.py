"""What found no tenant or no plan is taken up when it is sent again, after somebody has mended the cause."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet.registry import Suspension
from sandbox.stripe_events import customer_event, event, invoice_event, subscription_event
from services.billing.effects import ENTITLED, State
from services.billing.event import parse
from services.billing.inbox import Arrival, store
from tests.services.billing.bench import Books, Inside, wanted
from tests.services.billing.test_effects import CREATED, PRO, STARTER, UPGRADED
from tests.services.billing.test_history import Life, lives

pytestmark = pytest.mark.sandbox

LATER = replace(PRO, tenant="later")


def test_the_last_event_of_a_subscription_that_found_no_tenant(webhook: Inside, books: Books) -> None:
    ended = subscription_event("deleted", replace(LATER, status="canceled"), id="evt_ended", created=2)
    assert webhook.state(subscription_event("created", LATER, id="evt_created", created=1)) == "unmatched"
    assert webhook.state(ended) == "unmatched"
    assert webhook.state(ended) == "unmatched"  # nothing was mended yet
    books.registry.add(wanted("later"))
    assert webhook.state(ended) == "applied"
    assert (books.plan("later"), books.suspended_for("later")) == ("pro", Suspension.PAYMENT)
    assert books.operations() == [("later", "suspend", "billing", "evt_ended")]
    assert webhook.state(ended) == "duplicate"
    assert len(books.operations()) == 1


def test_an_earlier_event_of_it_does_as_well(webhook: Inside, books: Books) -> None:
    first = subscription_event("created", replace(STARTER, tenant="later"), id="evt_first", created=1)
    second = subscription_event("updated", LATER, replace(STARTER, tenant="later"), id="evt_second", created=2)
    assert [webhook.state(one) for one in (first, second)] == ["unmatched", "unmatched"]
    books.registry.add(wanted("later"))
    assert webhook.state(first) == "applied"
    assert books.plan("later") == "pro"
    assert webhook.state(second) == "applied"
    assert books.operations() == [("later", "update", "billing", "evt_first")]


def test_invoices_too(webhook: Inside, books: Books) -> None:
    paid = invoice_event("invoice.paid", replace(PRO, tenant=None), id="evt_paid", created=1)
    assert webhook.state(paid) == "unmatched"
    webhook.state(customer_event("created", PRO.customer, "acme", id="evt_customer", created=1))
    assert webhook.state(paid) == "applied"


def test_what_could_not_be_read_before(webhook: Inside, books: Books) -> None:
    """As an earlier program left it: of no subject."""
    body = webhook.body(UPGRADED)
    with books.engine.begin() as connection:
        store(connection, [Arrival(parse(body), body, None, State.UNMATCHED, "data.object.items: missing")])
    assert webhook.state(UPGRADED) == "applied"
    assert books.plan() == "pro"


def test_it_asks_for_an_operation_of_its_own_each_time(webhook: Inside, books: Books) -> None:
    """One event can ask for more than one thing: what it asked for first has ended by then."""
    of_customer = replace(PRO, tenant=None)
    webhook.state(customer_event("created", PRO.customer, "acme", id="evt_customer", created=1))
    assert webhook.state(subscription_event("created", of_customer, id="evt_1", created=1)) == "applied"
    books.execute("UPDATE tenants SET status = 'deleted', deleted_at = to_timestamp(5)")
    books.registry.add(wanted("acme"))
    books.execute("UPDATE tenants SET created_at = to_timestamp(6)")
    named = customer_event("updated", PRO.customer, "acme", id="evt_named", created=9, began=1, tenant_id="other")
    assert webhook.state(named) == "applied"
    assert books.plan() == "pro"
    assert books.operations() == [("acme", "update", "billing", "evt_1")] * 2


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_whenever_the_tenant_comes_all_that_was_unmatched_sent_again_brings_it_to_the_same(
    webhook: Inside, books: Books, own_login: sa.URL, data: st.DataObject
) -> None:
    histories: list[Life] = [data.draw(lives("sub_1")), data.draw(lives("sub_2"))]
    happened = [one for life in histories for one in life.events]
    arrived = data.draw(st.permutations(happened))
    comes = data.draw(st.integers(0, len(arrived)))
    ends = []
    for way, missing in ((happened, 0), (arrived, comes)):
        books.empty("billing_inbox", "billing_subscriptions", "operations", "tenants")
        assert {webhook.state(one) for one in way[:missing]} <= {"unmatched"}
        books.registry.add(wanted("acme"))
        for one in way[missing:]:
            webhook.state(one)
        unmatched = {name for name, state in books.states().items() if state == "unmatched"}
        for one in data.draw(st.permutations(way)) if missing else ():
            assert (webhook.state(one) == "duplicate") == (one["id"] not in unmatched)
        known = books.rows("SELECT id, status, plan, latest, settled FROM billing_subscriptions ORDER BY id")
        ends.append((books.plan(), books.suspended_for(), known))
    assert ends[0] == ends[1]
    lapsed = not any(life.last.status in ENTITLED for life in histories) and any(life.last_plan for life in histories)
    assert ends[1][1] is (Suspension.PAYMENT if lapsed else None)


def test_what_was_ignored_stays_so(webhook: Inside, books: Books) -> None:
    unknown = event("radar.early_fraud_warning.created", {}, id="evt_1", created=1)
    assert [webhook.state(unknown) for _ in range(2)] == ["ignored", "duplicate"]
    assert [webhook.state(CREATED) for _ in range(2)] == ["applied", "duplicate"]


def test_what_an_earlier_program_ignored(webhook: Inside, books: Books) -> None:
    body = webhook.body(UPGRADED)
    with books.engine.begin() as connection:
        store(connection, [Arrival(parse(body), body, None, State.IGNORED, "a type that nothing here depends on")])
    assert [webhook.state(UPGRADED) for _ in range(2)] == ["applied", "duplicate"]
    assert books.plan() == "pro"


def test_what_was_ignored_and_emptied_since_does_nothing(webhook: Inside, books: Books) -> None:
    body = webhook.body(UPGRADED)
    with books.engine.begin() as connection:
        store(connection, [Arrival(parse(body), body, None, State.IGNORED, "a type that nothing here depends on")])
    books.execute("UPDATE billing_inbox SET payload = ''")
    assert webhook.state(UPGRADED) == "duplicate"
    assert webhook.state(subscription_event("updated", PRO, PRO, id="evt_next", created=300)) == "applied"
