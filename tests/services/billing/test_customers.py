"""What is kept of customers and subscriptions, and read again with a later event."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sandbox.stripe_events import customer_event, subscription_event
from services.billing import inbox
from services.billing.effects import State
from services.billing.inbox import Conclusion
from tests.services.billing.bench import Books, Inside, wanted
from tests.services.billing.test_effects import PRO, STARTER

pytestmark = pytest.mark.sandbox

OF_CUSTOMER = replace(PRO, tenant=None)


def test_a_customer_that_is_changed_in_the_second_it_was_made_is_as_it_was_changed(
    webhook: Inside, books: Books
) -> None:
    """Ids of events tell nothing of their order."""
    webhook.state(customer_event("updated", PRO.customer, "acme", id="evt_a", created=1, tenant_id="other"))
    webhook.state(customer_event("created", PRO.customer, "other", id="evt_b", created=1))
    assert webhook.state(subscription_event("created", OF_CUSTOMER, id="evt_c", created=2)) == "applied"
    assert books.plan() == "pro"


@pytest.mark.parametrize(("made", "state"), [(5, "unmatched"), (9, "applied")])
def test_a_customer_that_was_made_with_a_tenant_s_name_names_the_tenant_that_was_there_then(
    webhook: Inside, books: Books, made: int, state: str
) -> None:
    """Another had the id until 3, this one was made at 7."""
    books.execute("UPDATE tenants SET status = 'deleted', deleted_at = to_timestamp(3)")
    books.registry.add(wanted("acme"))
    books.execute("UPDATE tenants SET created_at = to_timestamp(7)")
    webhook.state(customer_event("created", PRO.customer, "acme", id="evt_customer", created=made))
    assert webhook.state(subscription_event("created", OF_CUSTOMER, id="evt_1", created=10)) == state
    assert books.plan() == ("pro" if state == "applied" else "starter")


def test_a_subscription_that_names_its_own_tenant_is_its_own_beside_one_that_names_none(
    webhook: Inside, books: Books
) -> None:
    """In one batch, where the customer is looked up for the other."""
    books.registry.add(wanted("later"))
    webhook.state(customer_event("created", PRO.customer, "acme", id="evt_customer", created=1))
    own = replace(PRO, id="sub_2", tenant="later")
    webhook.together(
        [
            subscription_event("created", replace(OF_CUSTOMER, lookup_key=""), id="evt_1", created=2),
            subscription_event("created", own, id="evt_2", created=2),
        ]
    )
    assert (books.plan("acme"), books.plan("later")) == ("starter", "pro")


def test_of_earlier_events_that_come_again_together_the_one_that_is_applied_is_the_operation_s(
    webhook: Inside, books: Books
) -> None:
    later, first = replace(PRO, tenant="later"), replace(STARTER, tenant="later")
    events = [
        subscription_event("created", first, id="evt_1", created=1),
        subscription_event("updated", first, first, id="evt_2", created=2),
        subscription_event("updated", later, first, id="evt_3", created=3),
    ]
    assert {webhook.state(one) for one in events} == {"unmatched"}
    books.registry.add(wanted("later"))
    answers = webhook.together(events[:2])
    states = [one.state for one in answers if isinstance(one, Conclusion)]
    assert states == [State.STALE, State.APPLIED]
    assert books.plan("later") == "pro"
    assert books.operations() == [("later", "update", "billing", "evt_2")]


def test_of_a_long_history_the_newest_events_are_read(
    webhook: Inside, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "_HISTORY", 2)
    webhook.state(subscription_event("created", STARTER, id="evt_1", created=1))
    webhook.state(subscription_event("updated", STARTER, STARTER, id="evt_2", created=2))
    assert webhook.state(subscription_event("updated", PRO, STARTER, id="evt_3", created=3)) == "applied"
    assert books.plan() == "pro"


def test_a_subscription_that_was_given_to_the_tenant_anew_is_its_own_from_then_on(
    webhook: Inside, books: Books
) -> None:
    """It was another's of the same id, which was deleted at 3; this one was made at 7."""
    books.execute("UPDATE tenants SET status = 'deleted', deleted_at = to_timestamp(3)")
    books.registry.add(wanted("acme"))
    books.execute("UPDATE tenants SET created_at = to_timestamp(7)")
    first, second = replace(PRO, began=1), replace(STARTER, id="sub_2", began=10)
    unnamed = replace(first, tenant=None)
    assert webhook.state(subscription_event("created", first, id="evt_1", created=1)) == "unmatched"
    webhook.state(subscription_event("updated", unnamed, first, id="evt_2", created=8))
    assert webhook.state(subscription_event("updated", first, unnamed, id="evt_3", created=9)) == "applied"
    webhook.state(subscription_event("created", second, id="evt_4", created=10))
    webhook.state(subscription_event("deleted", replace(second, status="canceled"), id="evt_5", created=11))
    # It is paid for still.
    assert (books.plan(), books.suspended_for()) == ("pro", None)


def test_of_two_that_are_paid_for_the_plan_of_the_one_that_began_last_counts(webhook: Inside, books: Books) -> None:
    """Ids of subscriptions tell nothing of their order."""
    webhook.state(subscription_event("created", replace(PRO, id="sub_b", began=1), id="evt_1", created=1))
    assert books.plan() == "pro"
    webhook.state(subscription_event("created", replace(STARTER, id="sub_a", began=2), id="evt_2", created=2))
    assert books.plan() == "starter"


def test_what_came_while_a_tenant_was_being_deleted_counts_once_it_is_not(webhook: Inside, books: Books) -> None:
    bought = subscription_event("created", PRO, id="evt_1", created=1)
    books.execute("UPDATE tenants SET status = 'deleting'")
    assert webhook.state(bought) == "unmatched"
    books.execute("UPDATE tenants SET status = 'active'")
    assert webhook.state(bought) == "applied"
    assert books.plan() == "pro"
