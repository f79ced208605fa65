"""An id that is used again: what was bought for the tenant that is gone does nothing to the one that is there."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet.registry import Status, Suspension
from sandbox.stripe_events import Subscription, customer_event, invoice_event, subscription_event
from tests.services.billing.bench import Books, Inside, wanted
from tests.services.billing.test_history import BEGAN, lives

pytestmark = pytest.mark.sandbox

MADE = BEGAN + 100_000
"""When acme is made again; in seconds since the epoch, as all times here."""
OLD = Subscription("sub_old", "cus_old", "chronos-cloud.pro", "acme", began=BEGAN)
NEW = Subscription("sub_new", "cus_new", "chronos-cloud.starter", "acme", began=MADE + 10)


def delete(books: Books) -> None:
    books.registry.deleting("acme")
    books.registry.deleted("acme")


def make_again(books: Books) -> None:
    made = books.registry.add(wanted("acme"))
    assert made.predecessor_deleted_at is not None
    books.execute(f"UPDATE tenants SET created_at = to_timestamp({MADE})")


def used_again(webhook: Inside, books: Books) -> None:
    """acme, once on pro and paid for by `OLD`, is deleted and made again on starter for somebody else."""
    assert webhook.state(subscription_event("created", OLD, id="evt_old", created=BEGAN)) == "applied"
    assert books.plan() == "pro"
    delete(books)
    make_again(books)
    assert (books.plan(), len(books.operations())) == ("starter", 1)


@pytest.mark.parametrize(
    "what",
    [
        subscription_event("deleted", replace(OLD, status="canceled"), id="evt", created=MADE + 50),
        subscription_event("updated", replace(OLD, status="unpaid"), OLD, id="evt", created=MADE + 50),
        subscription_event(
            "updated", OLD, replace(OLD, lookup_key="chronos-cloud.starter"), id="evt", created=MADE + 50
        ),
    ],
    ids=["deleted", "unpaid", "another plan"],
)
def test_what_the_old_customer_does_is_kept_and_counted(webhook: Inside, books: Books, what: dict[str, object]) -> None:
    used_again(webhook, books)
    for order in (1, 2):
        assert webhook.state(what) == "unmatched", order
        assert books.reason("evt").startswith("it named acme before this tenant was made, when another had the id")
        assert (books.plan(), books.suspended_for(), len(books.operations())) == ("starter", None, 1)
        # The new customer's own is none the worse for it.
        bought = subscription_event("created", NEW, id="evt_new", created=MADE + 10)
        assert webhook.state(bought) == ("applied" if order == 1 else "duplicate")


def test_neither_what_is_bought_by_a_customer_that_named_the_old_one(webhook: Inside, books: Books) -> None:
    """The subscription names no tenant itself, and began since."""
    webhook.state(customer_event("created", "cus_old", "acme", id="evt_customer", created=BEGAN))
    used_again(webhook, books)
    # Something else of the customer changes: it names acme as before.
    webhook.state(customer_event("updated", "cus_old", "acme", id="evt_card", created=MADE + 15, began=BEGAN))
    bought = replace(OLD, id="sub_2", tenant=None, began=MADE + 20)
    assert webhook.state(subscription_event("created", bought, id="evt_2", created=MADE + 20)) == "unmatched"
    assert (books.plan(), len(books.operations())) == ("starter", 1)


def test_what_was_bought_while_nobody_had_the_id_waits_for_a_person(webhook: Inside, books: Books) -> None:
    delete(books)
    bought = subscription_event("created", replace(OLD, began=MADE - 10), id="evt_1", created=MADE - 10)
    assert webhook.state(bought) == "unmatched"
    assert books.reason("evt_1") == "tenant acme is deleted"
    make_again(books)
    assert webhook.state(bought) == "unmatched"
    assert books.plan() == "starter"


def test_a_person_gives_it_to_the_new_one_by_naming_it_anew(webhook: Inside, books: Books) -> None:
    used_again(webhook, books)
    without = replace(OLD, tenant=None)
    assert webhook.state(subscription_event("updated", without, OLD, id="evt_out", created=MADE + 50)) == "unmatched"
    assert webhook.state(subscription_event("updated", OLD, without, id="evt_in", created=MADE + 60)) == "applied"
    assert books.plan() == "pro"
    assert books.operations()[1:] == [("acme", "update", "billing", "evt_in")]
    ended = subscription_event("deleted", replace(OLD, status="canceled"), id="evt_ended", created=MADE + 70)
    assert webhook.state(ended) == "applied"
    assert books.suspended_for() is Suspension.PAYMENT


def test_or_by_naming_it_anew_in_its_customer(webhook: Inside, books: Books) -> None:
    webhook.state(customer_event("created", "cus_old", "acme", id="evt_customer", created=BEGAN))
    by_customer = replace(OLD, tenant=None)
    assert webhook.state(subscription_event("created", by_customer, id="evt_old", created=BEGAN)) == "applied"
    delete(books)
    make_again(books)
    out = customer_event("updated", "cus_old", None, id="evt_out", created=MADE + 50, began=BEGAN, tenant_id="acme")
    assert webhook.state(out) == "applied"
    assert books.plan() == "starter"
    anew = customer_event("updated", "cus_old", "acme", id="evt_in", created=MADE + 60, began=BEGAN, tenant_id=None)
    assert webhook.state(anew) == "applied"
    assert books.plan() == "pro"
    # It stays named, whatever else of the customer changes.
    webhook.state(customer_event("updated", "cus_old", "acme", id="evt_else", created=MADE + 70, began=BEGAN))
    ended = subscription_event("deleted", replace(by_customer, status="canceled"), id="evt_end", created=MADE + 80)
    assert webhook.state(ended) == "applied"
    assert books.suspended_for() is Suspension.PAYMENT


def test_an_id_of_its_first_tenant_takes_what_was_bought_before_it_was_made(webhook: Inside, books: Books) -> None:
    """As most are: first the checkout, then the tenant."""
    books.registry.add(wanted("later"))
    early = replace(OLD, tenant="later")
    assert webhook.state(subscription_event("created", early, id="evt_1", created=BEGAN)) == "applied"
    assert books.plan("later") == "pro"


def test_invoices_of_the_old_customer_change_nothing(webhook: Inside, books: Books) -> None:
    used_again(webhook, books)
    webhook.state(invoice_event("invoice.payment_failed", OLD, id="evt_bill", created=MADE + 50))
    found = books.registry.get("acme")
    assert found is not None
    assert (found.plan, found.suspended_for, found.status) == ("starter", None, Status.PENDING)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_whatever_comes_of_the_old_one_the_new_one_is_as_if_it_were_the_first(
    webhook: Inside, books: Books, data: st.DataObject
) -> None:
    old = data.draw(lives("sub_1"))
    new = data.draw(lives("sub_2", began=MADE + 1))
    known = data.draw(st.integers(0, len(old.events)))
    arrived = data.draw(st.permutations([*old.events[known:], *new.events]))
    again = data.draw(st.lists(st.sampled_from([*old.events, *new.events]), max_size=5))

    def start() -> None:
        books.empty("billing_inbox", "billing_subscriptions", "operations", "tenants")
        books.registry.add(wanted("acme"))

    def end() -> tuple[object, ...]:
        rows = books.rows("SELECT id, status, plan, latest, settled FROM billing_subscriptions WHERE id = 'sub_2'")
        return books.plan(), books.suspended_for(), rows

    start()
    for one in new.events:
        webhook.state(one)
    alone = end()
    start()
    for one in old.events[:known]:
        webhook.state(one)
    delete(books)
    make_again(books)
    for one in [*arrived, *again]:
        webhook.state(one)
    assert end() == alone
