"""What each event means for a tenant, through the endpoint, in a real Postgres."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet.registry import Status, Suspension
from sandbox.stripe_events import (
    Subscription,
    body_and_headers,
    customer_event,
    event,
    invoice_event,
    plan_change,
    subscription_event,
)
from services.billing.effects import ENTITLED, State
from services.billing.event import parse
from services.billing.inbox import Arrival, store
from tests.services.billing.bench import SECRET, Books, Inside, wanted
from tests.services.billing.test_history import Life, lives

pytestmark = pytest.mark.sandbox

STARTER = Subscription("sub_1", "cus_1", "chronos-cloud.starter", "acme")
PRO = replace(STARTER, lookup_key="chronos-cloud.pro")
CREATED = subscription_event("created", STARTER, id="evt_created", created=100)
UPGRADED = subscription_event("updated", PRO, STARTER, id="evt_upgraded", created=200)
DOWNGRADED = subscription_event("updated", STARTER, PRO, id="evt_downgraded", created=300)


def test_a_plan_change_moves_the_tenant_and_asks_for_the_operation(webhook: Inside, books: Books) -> None:
    assert webhook.state(CREATED) == "applied"
    assert (books.plan(), books.operations()) == ("starter", [])
    assert webhook.state(UPGRADED) == "applied"
    tenant = books.registry.get("acme")
    assert tenant is not None
    assert tenant.model_dump(include=set(type(wanted("acme")).model_fields)) == wanted("acme", "pro").model_dump(
        exclude={"desired_hash"}
    )
    assert tenant.desired_hash == wanted("acme", "pro").desired_hash
    assert books.operations() == [("acme", "update", "billing", "evt_upgraded")]
    assert books.rows("SELECT payload FROM operations") == [
        ({"event": "evt_upgraded", "plan": "pro", "suspended": False},)
    ]
    assert books.reason("evt_upgraded") == "plan starter -> pro"
    assert books.rows(
        "SELECT tenant, livemode, api_version, correlation_id FROM billing_inbox WHERE id = 'evt_upgraded'"
    ) == [("acme", False, "2025-09-30.clover", "evt_upgraded")]


def test_an_endpoint_of_a_preview_s_version(webhook: Inside, books: Books) -> None:
    """https://github.com/stripe/stripe-java/pull/1727: some previews are asked for in the version of the endpoint."""
    version = "2025-09-30.preview; invoice_partial_payments_beta=v3; orders_beta=v4"
    assert webhook.state({**UPGRADED, "api_version": version}) == "applied"
    assert books.rows("SELECT api_version FROM billing_inbox") == [(version,)]


def test_the_payload_is_kept_byte_by_byte(webhook: Inside, books: Books) -> None:
    body, headers = body_and_headers(UPGRADED, SECRET)
    assert webhook.post(body, headers).status_code == 200
    assert bytes(books.rows("SELECT payload FROM billing_inbox")[0][0]) == body


def test_payloads_of_one_transaction_are_kept_apart(books: Books) -> None:
    """Of different lengths, with bytes of more than one to a letter, among them one that is empty."""
    bodies = {"evt_b": b"first", "evt_a": "Zoë \u2603".encode(), "evt_d": b"", "evt_c": b"\x00\xff" * 500}
    arrivals = [
        Arrival(parse(json.dumps(event("any.type", {}, id=name, created=1)).encode()), body, None, State.IGNORED)
        for name, body in bodies.items()
    ]
    with books.engine.begin() as connection:
        assert store(connection, arrivals) == set(bodies)
    kept = {name: bytes(body) for name, body in books.rows("SELECT id, payload FROM billing_inbox")}
    assert kept == bodies


def test_a_second_delivery_does_nothing(webhook: Inside, books: Books) -> None:
    assert webhook.state(UPGRADED) == "applied"
    assert webhook.state(DOWNGRADED) == "applied"
    assert webhook.state(UPGRADED) == "duplicate"
    assert (books.plan(), len(books.operations())) == ("starter", 2)


def test_out_of_order(webhook: Inside, books: Books) -> None:
    assert webhook.state(DOWNGRADED) == "applied"
    assert webhook.state(UPGRADED) == "stale"
    assert webhook.state(CREATED) == "stale"
    assert (books.plan(), books.operations()) == ("starter", [])


def test_update_before_create(webhook: Inside, books: Books) -> None:
    assert webhook.state(UPGRADED) == "applied"
    assert webhook.state(CREATED) == "stale"
    assert books.plan() == "pro"


def test_a_plan_set_by_a_person_stays_until_another_is_bought(webhook: Inside, books: Books) -> None:
    webhook.state(CREATED)
    books.registry.want(wanted("acme", "pro"))
    renewed = subscription_event("updated", STARTER, STARTER, id="evt_renewed", created=150)
    assert webhook.state(renewed) == "applied"
    assert (books.plan(), books.operations()) == ("pro", [])


def test_the_end_of_an_old_subscription_beside_a_new_one(webhook: Inside, books: Books) -> None:
    webhook.state(CREATED)
    bought = replace(PRO, id="sub_2", began=STARTER.began + 60)
    assert webhook.state(subscription_event("created", bought, id="evt_second", created=310)) == "applied"
    assert books.plan() == "pro"
    ended = subscription_event("deleted", replace(STARTER, status="canceled"), id="evt_ended", created=320)
    assert webhook.state(ended) == "applied"
    assert books.plan() == "pro"


@pytest.mark.parametrize("status", ["incomplete", "incomplete_expired"])
def test_nothing_is_given_before_the_first_payment(webhook: Inside, books: Books, status: str) -> None:
    asked = subscription_event("created", replace(PRO, status=status), id="evt_asked", created=100)
    assert webhook.state(asked) == "applied"
    assert books.reason("evt_asked") == f"{status}: nothing was bought; nothing to change"
    assert (books.plan(), books.operations()) == ("starter", [])
    paid = subscription_event("updated", PRO, replace(PRO, status=status), id="evt_paid", created=101)
    assert webhook.state(paid) == "applied"
    assert books.plan() == "pro"


def test_the_end_of_one_that_was_never_paid_takes_nothing_away(webhook: Inside, books: Books) -> None:
    asked = subscription_event("created", replace(PRO, status="incomplete"), id="evt_asked", created=100)
    webhook.state(asked)
    expired = subscription_event("deleted", replace(PRO, status="incomplete_expired"), id="evt_expired", created=200)
    assert webhook.state(expired) == "applied"
    assert books.reason("evt_expired") == "incomplete_expired: nothing was bought; nothing to change"
    assert (books.plan(), books.suspended_for(), books.operations()) == ("starter", None, [])


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("chronos-cloud.enterprise", "plan enterprise is of the silo tier"),
        ("chronos-cloud.free", "plan free is of the pool tier"),
        ("chronos-cloud.platinum", "its price names no plan of chronos-cloud"),
        ("spoke.pro", "no plan is named by its prices' lookup_key"),
    ],
)
def test_a_plan_that_cannot_be_brought_about_is_kept_and_counted(
    webhook: Inside, books: Books, key: str, says: str
) -> None:
    odd = subscription_event("updated", replace(STARTER, lookup_key=key), STARTER, id="evt_odd", created=200)
    assert webhook.state(odd) == "unmatched"
    assert says in books.reason("evt_odd")
    assert webhook.counted("customer.subscription.updated", "unmatched") == 1
    assert (books.plan(), books.operations()) == ("starter", [])


@pytest.mark.parametrize("tenant", [None, "", "nobody", "not--valid", "x" * 400, "a\x00b", "acme'; DROP TABLE tenants"])
def test_no_tenant_is_kept_and_counted(webhook: Inside, books: Books, tenant: str | None) -> None:
    odd = subscription_event("updated", replace(PRO, tenant=tenant), STARTER, id="evt_odd", created=200)
    assert webhook.state(odd) == "unmatched"
    assert webhook.counted("customer.subscription.updated", "unmatched") == 1
    says = "there is no tenant of the id" if tenant == "nobody" else "is missing or no tenant's id"
    assert says in books.reason("evt_odd")
    assert (books.plan(), books.operations()) == ("starter", [])


def test_the_tenant_by_its_customer_whichever_comes_first(webhook: Inside, books: Books) -> None:
    books.registry.add(wanted("zeta"))
    first = customer_event("created", "cus_1", "acme", id="evt_customer", created=100)
    assert webhook.state(first) == "applied"
    assert webhook.state(subscription_event("created", replace(PRO, tenant=None), id="evt_1", created=101)) == "applied"
    assert books.plan() == "pro"
    other = replace(PRO, id="sub_2", customer="cus_2", tenant=None)
    assert webhook.state(subscription_event("created", other, id="evt_2", created=101)) == "unmatched"
    assert webhook.state(customer_event("updated", "cus_2", "zeta", id="evt_named", created=102)) == "applied"
    assert books.plan("zeta") == "pro"


def test_a_tenant_that_comes_after_its_subscription(webhook: Inside, books: Books) -> None:
    assert (
        webhook.state(subscription_event("created", replace(PRO, tenant="later"), id="evt_1", created=1)) == "unmatched"
    )
    books.registry.add(wanted("later"))
    again = subscription_event(
        "updated", replace(PRO, tenant="later"), replace(PRO, tenant="later"), id="evt_2", created=2
    )
    assert webhook.state(again) == "applied"
    assert books.plan("later") == "pro"


@pytest.mark.parametrize("status", [Status.DELETING, Status.DELETED])
def test_a_tenant_that_is_deleted(webhook: Inside, books: Books, status: Status) -> None:
    books.registry.deleting("acme")
    if status is Status.DELETED:
        books.registry.deleted("acme")
    assert webhook.state(UPGRADED) == "unmatched"
    assert books.reason("evt_upgraded") == f"tenant acme is {status}"
    assert (books.plan(), books.operations()) == ("starter", [])


def test_a_tenant_of_another_product(webhook: Inside, books: Books) -> None:
    books.execute("UPDATE tenants SET product = 'spoke'")
    assert webhook.state(UPGRADED) == "unmatched"
    assert books.plan() == "starter"


def test_invoices_are_told_of_and_change_nothing(webhook: Inside, books: Books) -> None:
    for kind in ("invoice.paid", "invoice.payment_failed"):
        assert webhook.state(invoice_event(kind, PRO, id=f"evt_{kind[8:]}", created=1)) == "applied"
    assert webhook.state(invoice_event("invoice.paid", None, id="evt_one_off", created=1)) == "ignored"
    unknown = replace(PRO, id="sub_9", customer="cus_9", tenant=None)
    assert webhook.state(invoice_event("invoice.paid", unknown, id="evt_unknown", created=1)) == "unmatched"
    assert (books.plan(), books.operations()) == ("starter", [])
    assert dict(books.rows("SELECT id, tenant FROM billing_inbox WHERE state = 'applied'")) == {
        "evt_paid": "acme",
        "evt_payment_failed": "acme",
    }


def test_unknown_types_are_stored_and_ignored_in_either_mode(webhook: Inside, books: Books) -> None:
    unknown = event("radar.early_fraud_warning.created", {"id": "x"}, id="evt_1", created=1)
    assert webhook.state(unknown) == "ignored"
    assert webhook.state({**unknown, "id": "evt_2", "livemode": True}) == "ignored"
    assert books.states() == {"evt_1": "ignored", "evt_2": "ignored"}
    assert webhook.counted("other", "ignored") == 2


def test_the_other_mode_moves_nobody_and_rings_until_it_is_set_right(webhook: Inside, books: Books) -> None:
    assert webhook.state({**UPGRADED, "livemode": True}) == "unmatched"
    assert books.reason("evt_upgraded") == (
        "an event of live mode, and STRIPE_LIVEMODE is set to take those of test mode"
    )
    assert (books.plan(), books.operations()) == ("starter", [])
    assert webhook.state(UPGRADED) == "applied"
    assert books.plan() == "pro"


def test_what_happens_in_a_connected_account_is_stored_and_ignored(webhook: Inside, books: Books) -> None:
    """Its owner writes metadata and prices as they like, and an endpoint may be told to listen to it too."""
    assert webhook.state({**UPGRADED, "account": "acct_1"}) == "ignored"
    assert books.reason("evt_upgraded") == "an event of a connected account"
    assert (books.plan(), books.operations()) == ("starter", [])
    assert webhook.state({**UPGRADED, "id": "evt_own", "account": None}) == "applied"


def test_an_object_that_is_none_of_its_type_is_kept(webhook: Inside, books: Books) -> None:
    for number, content in enumerate(
        ({}, {"id": 5}, {**PRO.as_stripe(), "items": None}, {**PRO.as_stripe(), "status": "A;"})
    ):
        odd = event("customer.subscription.updated", content, id=f"evt_{number}", created=1)
        assert webhook.state(odd) == "unmatched"
    assert books.plan() == "starter"


def test_a_key_that_no_text_of_postgres_may_hold_does_not_keep_the_event_out(webhook: Inside, books: Books) -> None:
    content = {**PRO.as_stripe(), "metadata": {"a\x00b\n\u00e9": 5}}
    assert webhook.state(event("customer.subscription.updated", content, id="evt_nul", created=1)) == "unmatched"
    assert "a?b??" in books.reason("evt_nul")


def test_the_rehearsals_event_is_the_same_each_time(webhook: Inside, books: Books) -> None:
    assert webhook.state(plan_change("acme", "chronos-cloud", "starter", "pro")) == "applied"
    assert webhook.state(plan_change("acme", "chronos-cloud", "starter", "pro")) == "duplicate"
    assert (books.plan(), len(books.operations())) == ("pro", 1)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_any_order_and_repetition_brings_the_tenant_to_the_same(
    webhook: Inside, books: Books, own_login: sa.URL, data: st.DataObject
) -> None:
    """Two subscriptions of one tenant, side by side, against what happens when all comes in order."""
    histories: list[Life] = [data.draw(lives("sub_1")), data.draw(lives("sub_2"))]
    happened = [one for life in histories for one in life.events]
    arrived = data.draw(st.permutations([*happened, *data.draw(st.lists(st.sampled_from(happened), max_size=5))]))
    ends = []
    for way in (happened, arrived):
        books.empty("billing_inbox", "billing_subscriptions", "operations")
        books.registry.want(wanted("acme"))
        for one in way:
            webhook.state(json.loads(json.dumps(one)))
        known = books.rows("SELECT id, status, plan, latest FROM billing_subscriptions ORDER BY id")
        ends.append((books.plan(), books.suspended_for(), known))
        # Who changed the row has asked for it to be built.
        kinds = [kind for _, kind, _, _ in books.operations() if kind != "update"]
        assert kinds == ["suspend", "resume"] * (len(kinds) // 2) + ["suspend"] * (len(kinds) % 2)
        assert len(kinds) % 2 == (books.suspended_for() is not None)
    assert ends[0] == ends[1]
    paying = any(life.last.status in ENTITLED for life in histories)
    lapsed = not paying and any(life.last_plan for life in histories)
    assert ends[0][1] is (Suspension.PAYMENT if lapsed else None)


def test_an_invoice_of_a_subscription_is_no_step_of_it(webhook: Inside, books: Books) -> None:
    assert webhook.state(invoice_event("invoice.paid", STARTER, id="evt_paid", created=150)) == "applied"
    assert webhook.state(UPGRADED) == "applied"
    assert books.plan() == "pro"
