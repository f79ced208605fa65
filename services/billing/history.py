"""The order in which a subscription's events happened, whatever order they came in.

Stripe promises no order, repeats, and tells times in whole seconds. So each time all known events of a subscription are
put in order anew: the result depends on which events are known and on nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from services.billing.event import PAUSE_TYPES, TENANT, Event, Previous, Subscription, read


@dataclass(frozen=True, order=True)
class Condition:
    """What an event says of its subscription, as far as a tenant depends on it."""

    status: str
    prices: tuple[str, ...]
    """Their ids. What a price is called can change, and no event of the subscription tells."""
    tenant: str | None
    collection_paused: str | None


@dataclass(frozen=True)
class Step:
    """One event of a subscription: from what it was to what it is."""

    event: Event
    subscription: Subscription
    before: Condition
    after: Condition

    @property
    def begins(self) -> bool:
        return self.event.type == "customer.subscription.created"

    @property
    def announces(self) -> bool:
        """What it was before is not told. An update of the same second may tell the same, or none."""
        return self.event.type in PAUSE_TYPES

    @property
    def ends(self) -> bool:
        """A subscription that ended never comes back, so nothing follows this, whatever the times say."""
        return self.event.type == "customer.subscription.deleted"


def step(event: Event) -> Step:
    """The step that an event of a subscription tells of. Raises MalformedEvent."""
    now = read(Subscription, event.data.object)
    previous = read(Previous, event.data.previous_attributes or {})
    after = Condition(now.status, now.items.price_ids, now.metadata.get(TENANT), now.collection_paused)
    before = Condition(
        previous.status or after.status,
        after.prices if previous.items is None else previous.items.price_ids,
        previous.tenant(after.tenant),
        previous.collection_paused(after.collection_paused),
    )
    return Step(event, now, before, after)


def in_order(steps: Iterable[Step]) -> Sequence[Step]:
    """From the first to the last. Repetitions are left out."""
    known = sorted(
        {one.event.id: one for one in steps}.values(),
        key=lambda one: (one.event.created, one.announces, one.event.id),
    )
    order = [one for one in known if one.begins]
    between = [one for one in known if not one.begins and not one.ends]
    for _, second in groupby(between, key=lambda one: one.event.created):
        order += _chain(list(second), order[-1].after if order else None)
    return [*order, *(one for one in known if one.ends)]


def _chain(second: Sequence[Step], start: Condition | None) -> Sequence[Step]:
    """The steps of one second, each beginning where the one before it ended.

    That is a path over every edge of a graph whose nodes are conditions (Hierholzer's algorithm). Where there is none,
    because an event is still to come, the order is that of the ids, with announcements last: no update led to them.
    """
    if len(second) == 1:
        return second
    leaving: dict[Condition, list[Step]] = defaultdict(list)
    surplus: dict[Condition, int] = defaultdict(int)
    for one in reversed(second):
        leaving[one.before].append(one)
        surplus[one.before] += 1
        surplus[one.after] -= 1
    sources = sorted((node for node, more in surplus.items() if more > 0), key=repr)
    first = sources[0] if sources else start
    if first is None or first not in leaving:
        return second
    trail: list[tuple[Condition, Step | None]] = [(first, None)]
    path: list[Step] = []
    while trail:
        node, arrived = trail[-1]
        if leaving[node]:
            following = leaving[node].pop()
            trail.append((following.after, following))
        else:
            trail.pop()
            if arrived is not None:
                path.append(arrived)
    path.reverse()
    joined = all(a.after == b.before for a, b in pairwise(path))
    return path if joined and len(path) == len(second) else second
