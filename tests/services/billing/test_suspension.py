"""A tenant is suspended while nothing of what it bought is paid for, and resumed when it is again."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet.registry import Suspension
from sandbox.stripe_events import Subscription, subscription_event
from services.billing.effects import ENTITLED
from tests.services.billing.bench import Books, Inside, wanted
from tests.services.billing.test_history import BEGAN, PLANS, Life, lives

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


def test_the_same_plan_is_bought_again_after_a_person_set_another(webhook: Inside, books: Books) -> None:
    webhook.state(UPGRADED)
    webhook.state(DELETED)
    books.registry.want(wanted("acme", "starter").model_copy(update={"suspended_for": Suspension.PAYMENT}))
    bought = replace(PRO, id="sub_2", began=500)
    assert webhook.state(subscription_event("created", bought, id="evt_again", created=500)) == "applied"
    assert books.reason("evt_again") == "plan starter -> pro; subscription active: resumed"
    assert (books.plan(), books.suspended_for()) == ("pro", None)
    # And then what a person sets stays, as long as that subscription buys the same.
    books.registry.want(wanted("acme", "starter"))
    assert webhook.state(subscription_event("updated", bought, bought, id="evt_renewed", created=600)) == "applied"
    assert books.plan() == "starter"


def test_the_end_of_what_it_was_never_brought_to_takes_nothing_away(webhook: Inside, books: Books) -> None:
    """A plan of another tier was left to a person, and so is its end."""
    silo = replace(PRO, lookup_key="chronos-cloud.enterprise")
    assert webhook.state(subscription_event("created", silo, id="evt_silo", created=100)) == "unmatched"
    ended = subscription_event("deleted", replace(silo, status="canceled"), id="evt_ended", created=200)
    assert webhook.state(ended) == "unmatched"
    assert (books.plan(), books.suspended_for(), books.operations()) == ("starter", None, [])


@pytest.mark.parametrize("how", ["keep_as_draft", "mark_uncollectible", "void"])
def test_a_pause_of_collection_is_told_and_takes_nothing_away(webhook: Inside, books: Books, how: str) -> None:
    """Who gives something for nothing has said so in Stripe; its status stays `active`."""
    webhook.state(UPGRADED)
    paused = replace(PRO, collection_paused=how)
    assert webhook.state(subscription_event("updated", paused, PRO, id="evt_paused", created=210)) == "applied"
    late = replace(paused, status="past_due")
    assert webhook.state(subscription_event("updated", late, paused, id="evt_late", created=215)) == "applied"
    told = f"collection is paused ({how}): nobody is charged; the tenant keeps plan pro meanwhile"
    assert (books.reason("evt_paused"), books.reason("evt_late")) == (told, told)
    assert books.rows("SELECT id, collection_paused FROM billing_subscriptions") == [("sub_1", how)]
    assert (books.plan(), books.suspended_for()) == ("pro", None)
    assert webhook.state(subscription_event("updated", PRO, late, id="evt_on", created=220)) == "applied"
    assert books.reason("evt_on") == "nothing to change"
    assert books.rows("SELECT id, collection_paused FROM billing_subscriptions") == [("sub_1", None)]


def test_a_pause_and_its_end_are_told_by_events_of_their_own_as_well(webhook: Inside, books: Books) -> None:
    """They come beside an update of the same second, or alone; they never tell what they replaced."""
    webhook.state(UPGRADED)
    paused = replace(PRO, status="paused")
    loop = subscription_event("updated", PRO, PRO, id="evt_z", created=210)
    alone = [subscription_event("paused", paused, id="evt_paused", created=210), loop]
    assert [webhook.state(one) for one in alone] == ["applied", "stale"]
    assert books.suspended_for() is Suspension.PAYMENT
    resumed = [
        subscription_event("resumed", PRO, id="evt_resumed", created=220),
        subscription_event("updated", PRO, paused, id="evt_y", created=220),
    ]
    for one in resumed:
        webhook.state(one)
    assert (books.plan(), books.suspended_for()) == ("pro", None)
    assert [kind for _, kind, _, _ in books.operations()] == ["update", "suspend", "resume"]


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


@dataclass
class Account:
    """What a tenant has, by the rules in docs/connect-stripe.md: of each subscription its status, its plan and when it
    began."""

    plan: str = "starter"
    suspended_for: Suspension | None = None
    subscriptions: dict[str, tuple[str, str | None, int]] = field(default_factory=dict)

    def counts(self) -> tuple[str | None, str | None, bool]:
        """The subscription whose plan counts, the plan, and whether nothing is paid for any more."""
        naming = [
            (status in ENTITLED, began, name) for name, (status, plan, began) in self.subscriptions.items() if plan
        ]
        if not naming:
            return None, None, False
        name = max(naming)[2]
        paying = any(status in ENTITLED for status, _, _ in self.subscriptions.values())
        return name, self.subscriptions[name][1], not paying

    def happens(self, now: Subscription) -> None:
        before = self.counts()
        _, plan, _ = self.subscriptions.get(now.id, (None, None, None))
        named = now.lookup_key.removeprefix("chronos-cloud.")
        self.subscriptions[now.id] = (now.status, named if named in PLANS else plan, now.began)
        subscription, plan, lapsed = self.counts()
        if plan is not None and (subscription, plan) != before[:2]:
            self.plan = plan
        if lapsed != before[2]:
            self.suspended_for = Suspension.PAYMENT if lapsed else None


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_what_is_bought_and_what_a_person_sets_whichever_is_later_counts(
    webhook: Inside, books: Books, data: st.DataObject
) -> None:
    """Three purchases, one after the other's beginning, also of the same plan, and a person in between."""
    bought: list[Life] = [
        data.draw(lives(f"sub_{number}", began=BEGAN + 100 * number, pauses=(1, 60, 90))) for number in range(3)
    ]
    happens = [pair for life in bought for pair in zip(life.events, life.truths, strict=True)]
    books.empty("billing_inbox", "billing_subscriptions", "operations")
    books.registry.want(wanted("acme"))
    account = Account()
    for event, truth in sorted(happens, key=lambda pair: pair[0]["created"]):
        if data.draw(st.integers(0, 3)) == 0:
            account.plan = data.draw(st.sampled_from(PLANS))
            row = books.registry.get("acme")
            assert row is not None
            books.registry.want(wanted("acme", account.plan).model_copy(update={"suspended_for": row.suspended_for}))
        webhook.state(event)
        account.happens(truth)
        assert (books.plan(), books.suspended_for()) == (account.plan, account.suspended_for)
