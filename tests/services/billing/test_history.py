"""Any order and repetition of a subscription's events comes to the same, and to what Stripe holds to be true."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from catalog import blueprints
from sandbox.stripe_events import Subscription, identifier, subscription_event
from services.billing.effects import ENTITLED, billed, standing
from services.billing.event import parse
from services.billing.history import in_order, step

BLUEPRINT = blueprints.load("chronos-cloud")
PLANS = ("starter", "pro")
KEYS = st.sampled_from(
    [*(f"chronos-cloud.{plan}" for plan in PLANS), "chronos-cloud.enterprise", "chronos-cloud.gone", "else.pro"]
)
BEGAN = 1_760_000_000
STATUSES = st.sampled_from(["active", "trialing", "past_due", "unpaid", "paused"])


@dataclass(frozen=True)
class Life:
    """What Stripe did with one subscription: the truth at the end, and the events in the order of happening."""

    events: Sequence[dict[str, Any]]
    truths: Sequence[Subscription]
    """What it was after each of them."""
    last: Subscription
    last_plan: str | None


@st.composite
def lives(
    draw: st.DrawFn,
    subscription: str = "sub_1",
    tenant: str | None = "acme",
    *,
    began: int = BEGAN,
    pauses: Sequence[int] = (0, 0, 1, 60),
) -> Life:
    """Time stands still as often as it moves, unless `pauses` tell otherwise: many events have the same second."""
    seconds = began
    now = Subscription(subscription, "cus_1", draw(KEYS), tenant, draw(STATUSES), began=seconds)

    def name() -> str:
        # As Stripe's, ids tell nothing of the order.
        return identifier("evt", subscription, str(len(events)), str(salt))

    salt = draw(st.integers(0, 1000))
    events: list[dict[str, Any]] = []
    events.append(subscription_event("created", now, id=name(), created=seconds))
    plans, truths = [now.lookup_key], [now]
    for _ in range(draw(st.integers(0, 7))):
        seconds += draw(st.sampled_from(pauses))
        before = now
        now = replace(now, lookup_key=draw(KEYS), status=draw(STATUSES))
        events.append(subscription_event("updated", now, before, id=name(), created=seconds))
        plans.append(now.lookup_key)
        truths.append(now)
    if draw(st.booleans()):
        now = replace(now, status="canceled")
        events.append(subscription_event("deleted", now, id=name(), created=seconds + draw(st.sampled_from([0, 1]))))
        truths.append(now)
    known = [key.removeprefix("chronos-cloud.") for key in plans if key.removeprefix("chronos-cloud.") in PLANS]
    return Life(events, truths, now, known[-1] if known else None)


@settings(max_examples=400)
@given(st.data())
def test_any_order_and_repetition_comes_to_the_truth(data: st.DataObject) -> None:
    life = data.draw(lives())
    arrived = data.draw(st.permutations(life.events))
    again = data.draw(st.lists(st.sampled_from(life.events)))
    steps = [step(parse(json.dumps(one).encode())) for one in [*arrived, *again]]
    order = in_order(steps)
    assert len(order) == len(life.events)
    found = standing(order, BLUEPRINT)
    assert found.status == life.last.status
    assert found.plan is None or found.plan in PLANS
    # The last condition is the true one. A plan that was named in between may be told from its neighbours only by the
    # order within one second, which a round trip (a -> b -> a -> c -> a) leaves open; its end does not.
    assert [price.lookup_key for price in order[-1].subscription.items.prices] == [life.last.lookup_key]
    if life.last.lookup_key.removeprefix("chronos-cloud.") in PLANS:
        assert found.plan == life.last_plan
        assert found.problem is None


@settings(max_examples=200)
@given(st.data(), st.booleans())
def test_announcements_beside_updates_or_in_their_place_come_to_the_truth(data: st.DataObject, beside: bool) -> None:
    life = data.draw(lives() if beside else lives(pauses=(1, 60)))
    events = []
    for before, now, one in zip([None, *life.truths], life.truths, life.events, strict=False):
        change = "paused" if now.status == "paused" else "resumed"
        if one["type"].endswith(".updated") and before and "paused" in {before.status, now.status} != {"paused"}:
            name = identifier("evt", "announced", one["id"])
            events.append(subscription_event(change, now, id=name, created=one["created"]))
            if not beside:
                continue
        events.append(one)
    order = in_order(step(parse(json.dumps(one).encode())) for one in data.draw(st.permutations(events)))
    assert standing(order, BLUEPRINT).status == life.last.status
    assert [price.lookup_key for price in order[-1].subscription.items.prices] == [life.last.lookup_key]


@settings(max_examples=200)
@given(st.data())
def test_what_is_known_so_far_decides_and_not_how_it_came(data: st.DataObject) -> None:
    life = data.draw(lives())
    some = data.draw(st.lists(st.sampled_from(life.events), min_size=1, unique_by=lambda one: str(one["id"])))
    other = data.draw(st.permutations(some))
    orders = [in_order(step(parse(json.dumps(one).encode())) for one in way) for way in (some, other)]
    assert orders[0] == orders[1]


def test_within_one_second_each_step_begins_where_the_last_ended() -> None:
    def sub(plan: str) -> Subscription:
        return Subscription("sub_1", "cus_1", f"chronos-cloud.{plan}", "acme")

    began = subscription_event("created", sub("starter"), id="evt_z", created=10)
    up = subscription_event("updated", sub("pro"), sub("starter"), id="evt_y", created=10)
    down = subscription_event("updated", sub("starter"), sub("pro"), id="evt_x", created=10)
    order = in_order(step(parse(json.dumps(one).encode())) for one in (down, up, began))
    assert [one.event.id for one in order] == ["evt_z", "evt_y", "evt_x"]


def test_a_pause_of_collection_within_one_second_is_told_from_its_end() -> None:
    going = Subscription("sub_1", "cus_1", "chronos-cloud.pro", "acme")
    paused = replace(going, collection_paused="void")
    began = subscription_event("updated", paused, going, id="evt_z", created=10)
    changed = subscription_event("updated", replace(paused, status="past_due"), paused, id="evt_y", created=10)
    ended = subscription_event(
        "updated", replace(going, status="past_due"), replace(paused, status="past_due"), id="evt_x", created=10
    )
    for events, how in (((changed, began, ended), None), ((changed, began), "void")):
        order = in_order(step(parse(json.dumps(one).encode())) for one in events)
        assert standing(order, BLUEPRINT).collection_paused == how


def test_nothing_follows_the_end() -> None:
    pro = Subscription("sub_1", "cus_1", "chronos-cloud.pro", "acme")
    ended = subscription_event("deleted", replace(pro, status="canceled"), id="evt_1", created=10)
    late = subscription_event("updated", pro, replace(pro, status="past_due"), id="evt_2", created=11)
    order = in_order(step(parse(json.dumps(one).encode())) for one in (ended, late))
    found = standing(order, BLUEPRINT)
    assert (found.status, found.latest) == ("canceled", "evt_1")
    assert found.status not in ENTITLED


def test_an_announcement_is_the_last_of_its_second_while_the_update_that_led_to_it_is_still_to_come() -> None:
    """Two updates and an announcement are of one second; the second update has not come yet, or never will."""
    trial = Subscription("sub_1", "cus_1", "chronos-cloud.pro", "acme", "trialing", began=BEGAN)
    active, paused = replace(trial, status="active"), replace(trial, status="paused")
    known = [
        subscription_event("created", trial, id="evt_0", created=BEGAN),
        subscription_event("updated", active, trial, id="evt_2", created=BEGAN + 1),
        # The first by its id.
        subscription_event("paused", paused, id="evt_1", created=BEGAN + 1),
    ]
    for events in (known, known[::-1]):
        order = in_order(step(parse(json.dumps(one).encode())) for one in events)
        assert [one.event.id for one in order] == ["evt_0", "evt_2", "evt_1"]


def test_of_two_that_began_in_one_second_always_the_same_counts() -> None:
    """Whichever of them the database tells first."""
    both = []
    for number, plan in enumerate(PLANS):
        now = Subscription(f"sub_{number}", "cus_1", f"chronos-cloud.{plan}", "acme", "active", began=BEGAN)
        begun = subscription_event("created", now, id=f"evt_{number}", created=BEGAN)
        both.append(standing([step(parse(json.dumps(begun).encode()))], BLUEPRINT))
    assert billed(both) == billed(both[::-1]) == both[1]
