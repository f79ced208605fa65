"""A tenant is suspended while nothing of what it bought is paid for, and resumed when it is again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fleet.registry import Suspension
from sandbox.stripe_events import Subscription, subscription_event
from tests.services.billing.bench import Books, Inside, wanted

pytestmark = pytest.mark.sandbox

STARTER = Subscription("sub_1", "cus_1", "chronos-cloud.starter", "acme")
PRO = replace(STARTER, lookup_key="chronos-cloud.pro")
CREATED = subscription_event("created", STARTER, id="evt_created", created=100)
UPGRADED = subscription_event("updated", PRO, STARTER, id="evt_upgraded", created=200)
DELETED = subscription_event("deleted", replace(PRO, status="canceled"), id="evt_deleted", created=400)


def status_event(status: str, before: str, second: int) -> dict[str, Any]:
    """acme's subscription to pro goes from one status to another."""
    old, new = replace(PRO, status=before), replace(PRO, status=status)
    return subscription_event("updated", new, old, id=f"evt_{status}_{second}", created=second)


def test_a_deleted_subscription_suspends_and_nothing_follows_it(webhook: Inside, books: Books) -> None:
    webhook.state(UPGRADED)
    assert webhook.state(DELETED) == "applied"
    assert books.reason("evt_deleted") == "subscription canceled: suspended, its data stays"
    assert (books.plan(), books.suspended_for()) == ("pro", Suspension.PAYMENT)
    assert books.operations()[1:] == [("acme", "suspend", "billing", "evt_deleted")]
    assert books.rows("SELECT payload FROM operations WHERE kind = 'suspend'") == [
        ({"event": "evt_deleted", "plan": "pro", "suspended": True},)
    ]
    late = subscription_event("updated", STARTER, PRO, id="evt_late", created=500)
    assert webhook.state(late) == "stale"
    assert (books.plan(), books.suspended_for()) == ("pro", Suspension.PAYMENT)
    assert books.rows("SELECT status FROM billing_subscriptions") == [("canceled",)]


@pytest.mark.parametrize("status", ["unpaid", "paused", "canceled"])
def test_suspended_while_nothing_is_paid_for(webhook: Inside, books: Books, status: str) -> None:
    webhook.state(UPGRADED)
    assert webhook.state(status_event("past_due", "active", 210)) == "applied"
    assert books.reason("evt_past_due_210") == "past_due: Stripe still collects; the tenant keeps plan pro meanwhile"
    assert (books.suspended_for(), len(books.operations())) == (None, 1)
    assert webhook.state(status_event(status, "past_due", 220)) == "applied"
    assert books.suspended_for() is Suspension.PAYMENT
    assert webhook.state(status_event(status, status, 225)) == "applied"
    assert books.reason(f"evt_{status}_225") == f"subscription {status}; the tenant is suspended"
    assert webhook.state(status_event("active", status, 230)) == "applied"
    assert books.reason("evt_active_230") == "subscription active: resumed"
    assert (books.plan(), books.suspended_for()) == ("pro", None)
    assert [kind for _, kind, _, _ in books.operations()] == ["update", "suspend", "resume"]


def test_paid_for_again_before_the_lack_of_it_is_told(webhook: Inside, books: Books) -> None:
    assert webhook.state(status_event("active", "unpaid", 230)) == "applied"
    assert webhook.state(status_event("unpaid", "past_due", 220)) == "stale"
    assert (books.plan(), books.suspended_for()) == ("pro", None)


def test_another_plan_is_bought_while_suspended(webhook: Inside, books: Books) -> None:
    webhook.state(CREATED)
    webhook.state(subscription_event("deleted", replace(STARTER, status="canceled"), id="evt_ended", created=200))
    assert books.suspended_for() is Suspension.PAYMENT
    bought = replace(PRO, id="sub_2", began=STARTER.began + 60)
    assert webhook.state(subscription_event("created", bought, id="evt_second", created=310)) == "applied"
    assert books.reason("evt_second") == "plan starter -> pro; subscription active: resumed"
    assert (books.plan(), books.suspended_for()) == ("pro", None)
    assert [kind for _, kind, _, _ in books.operations()] == ["suspend", "resume"]


def test_another_subscription_that_is_paid_for_keeps_it_running(webhook: Inside, books: Books) -> None:
    """Whatever it is for: of a plan that a tenant is not moved to by itself, or of none."""
    webhook.state(CREATED)
    other = replace(STARTER, id="sub_2", lookup_key="chronos-cloud.enterprise")
    assert webhook.state(subscription_event("created", other, id="evt_other", created=150)) == "unmatched"
    ended = subscription_event("deleted", replace(STARTER, status="canceled"), id="evt_ended", created=200)
    assert webhook.state(ended) == "unmatched"
    assert (
        books.reason("evt_ended") == "the subscription is canceled; the tenant keeps plan starter until it is decided"
    )
    assert books.suspended_for() is None
    gone = subscription_event("deleted", replace(other, status="canceled"), id="evt_gone", created=300)
    webhook.state(gone)
    assert books.suspended_for() is Suspension.PAYMENT


def test_what_a_person_suspended_no_payment_resumes(webhook: Inside, books: Books) -> None:
    webhook.state(UPGRADED)
    books.registry.want(wanted("acme", "pro").model_copy(update={"suspended_for": Suspension.OPERATOR}))
    for status, before, second in (("unpaid", "active", 210), ("active", "unpaid", 220)):
        assert webhook.state(status_event(status, before, second)) == "applied"
        assert books.suspended_for() is Suspension.OPERATOR
    assert webhook.state(status_event("unpaid", "active", 230)) == "applied"
    assert books.reason("evt_unpaid_230") == "subscription unpaid; the tenant is suspended by a person"
    assert len(books.operations()) == 1


def test_what_a_person_resumed_stays_so_until_it_lapses_anew(webhook: Inside, books: Books) -> None:
    webhook.state(UPGRADED)
    webhook.state(status_event("unpaid", "active", 210))
    books.registry.want(wanted("acme", "pro"))
    assert webhook.state(status_event("unpaid", "unpaid", 220)) == "applied"
    assert books.reason("evt_unpaid_220") == "subscription unpaid; the tenant is not suspended: a person resumed it"
    webhook.state(status_event("active", "unpaid", 230))
    assert (books.suspended_for(), len(books.operations())) == (None, 2)
    webhook.state(status_event("unpaid", "active", 240))
    assert books.suspended_for() is Suspension.PAYMENT


def test_one_event_can_do_both(webhook: Inside, books: Books) -> None:
    """It names another plan, and is not paid for: the plan is kept for the day that it is."""
    odd = subscription_event("updated", replace(PRO, status="unpaid"), STARTER, id="evt_both", created=200)
    assert webhook.state(odd) == "applied"
    assert books.reason("evt_both") == "plan starter -> pro; subscription unpaid: suspended, its data stays"
    assert books.operations() == [("acme", "suspend", "billing", "evt_both")]
    assert (books.plan(), books.suspended_for()) == ("pro", Suspension.PAYMENT)
