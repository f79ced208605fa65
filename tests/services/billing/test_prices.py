"""Which plan a price is of, also after its name has been given to another."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sandbox.stripe_events import subscription_event
from tests.services.billing.bench import Books, Inside
from tests.services.billing.test_effects import PRO, STARTER

pytestmark = pytest.mark.sandbox


def test_the_plan_by_the_metadata_of_a_price_without_lookup_key(webhook: Inside, books: Books) -> None:
    other = replace(STARTER, lookup_key="", price="price_1", price_metadata={"plan": "chronos-cloud.pro"})
    for number, price in enumerate((other, replace(other, lookup_key="spoke.starter"))):
        moved = subscription_event("updated", price, STARTER, id=f"evt_{number}", created=200 + number)
        assert webhook.state(moved) == "applied"
        assert books.plan() == "pro"
    # The lookup key counts first.
    keyed = replace(other, lookup_key="chronos-cloud.starter")
    assert webhook.state(subscription_event("updated", keyed, other, id="evt_keyed", created=300)) == "applied"
    assert books.plan() == "starter"


def test_a_price_that_lost_its_lookup_key_is_of_the_plan_that_it_was(webhook: Inside, books: Books) -> None:
    """As `transfer_lookup_key` leaves it: no event tells, and what comes later has no key."""
    had = replace(PRO, price="price_1")
    lost = replace(had, lookup_key="")
    assert webhook.state(subscription_event("created", had, id="evt_bought", created=100)) == "applied"
    for number, status in enumerate(("active", "past_due", "active", "unpaid", "active")):
        later = subscription_event("updated", replace(lost, status=status), id=f"evt_{number}", created=200 + number)
        assert webhook.state(later) == "applied"
    assert books.plan() == "pro"
    # Another price that names nothing is another matter.
    odd = subscription_event("updated", replace(lost, price="price_2"), lost, id="evt_odd", created=300)
    assert webhook.state(odd) == "unmatched"


def test_a_price_that_nobody_ever_told_of_is_kept_and_counted(webhook: Inside, books: Books) -> None:
    unnamed = replace(STARTER, lookup_key="", price="price_1", price_metadata={"plan": "pro", "colour": "red"})
    assert webhook.state(subscription_event("updated", unnamed, id="evt_odd", created=200)) == "unmatched"
    assert books.plan() == "starter"
