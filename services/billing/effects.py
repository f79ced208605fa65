"""What a subscription means for a tenant: pure functions, from what is known to what shall be.

A tenant goes to another plan of its own tier, and is suspended while nothing of what it bought is paid for. The runner
cannot move it between tiers yet: a plan of another tier is kept, counted and left to a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum

from catalog.identifiers import check_tenant_id
from catalog.plans import Blueprint, Plan, Tier
from fleet.registry import Status, Suspension, Tenant, Wanted
from services.billing.event import Price
from services.billing.history import Step

ENTITLED = frozenset({"active", "trialing", "past_due"})
"""Statuses in which a customer has what was bought; `past_due` is still being collected."""

LAPSED = frozenset({"unpaid", "canceled", "paused"})
"""Statuses in which Stripe has given up collecting, or the subscription is over."""

BEFORE_PAYMENT = frozenset({"incomplete", "incomplete_expired"})
"""Statuses of a subscription whose first payment has not been made: nothing was bought yet."""


class State(StrEnum):
    """What became of an event."""

    RECEIVED = "received"
    """Stored, and its effect failed: `reason` says why. It is tried again when it is delivered again."""
    APPLIED = "applied"
    """The tenant is as the event says; `reason` says what that changed."""
    IGNORED = "ignored"
    """Of no meaning here: another type, a connected account."""
    UNMATCHED = "unmatched"
    """It finds no tenant, no plan, or a plan that the tenant cannot be brought to, or is of the mode that is not taken:
    somebody should look."""
    STALE = "stale"
    """Something later was known already."""


@dataclass(frozen=True)
class Standing:
    """What one subscription comes to after all its known events."""

    subscription: str
    customer: str
    began: int
    """When the subscription was made, in seconds since the epoch."""
    tenant: str | None
    named: int | None
    """When it, or its customer, came to name that tenant, in seconds since the epoch; None: not known."""
    status: str
    collection_paused: str | None
    """How its invoices are treated while nobody is charged for them; None: they are collected."""
    plan: str | None
    """The last plan that it named and that a tenant can be brought to."""
    problem: str | None
    """Why its last event names no such plan."""
    latest: str
    """The id of its last event."""
    settled: bool = False
    """Whether the tenant's row has followed it."""


@dataclass(frozen=True)
class Account:
    """What all the subscriptions of a tenant come to that its row has followed."""

    billed: Standing | None
    """The one whose plan counts."""
    lapsed: bool
    """Whether that one has ended, and nothing else of the tenant is paid for."""


@dataclass(frozen=True)
class Decision:
    """What an event comes to. `wanted` is what the tenant shall be from now on; None: as it is."""

    state: State
    reason: str
    wanted: Wanted | None = None


def standing(order: Sequence[Step], blueprint: Blueprint) -> Standing:
    """Of one subscription's events, first to last; at least one."""
    last = order[-1]
    # One that nobody ever paid for expires, and that is no end of something that was bought.
    status = "canceled" if last.ends and last.after.status not in BEFORE_PAYMENT else last.after.status
    found, problem = None, None
    told: dict[str, str] = {}
    for one in order:
        prices = one.subscription.items.prices
        # A price may have lost its lookup key to another since an earlier event.
        told |= {price.id: name for price in prices if (name := _plan_name(price, blueprint)) is not None}
        if one.after.status not in BEFORE_PAYMENT:
            plan, problem = _plan({told[price.id] for price in prices if price.id in told}, blueprint)
            found = plan or found
    tenants = [one.after.tenant for one in order if one.after.tenant]
    tenant = tenants[-1] if tenants else None
    return Standing(
        subscription=last.subscription.id,
        customer=last.subscription.customer_id,
        began=last.subscription.created,
        tenant=tenant,
        named=_named(order, tenant),
        status=status,
        collection_paused=last.after.collection_paused,
        plan=found.name if found else None,
        problem=problem,
        latest=last.event.id,
    )


def is_of(one: Standing, tenant: Tenant) -> bool:
    """Whether the subscription is this tenant's, and not that of a deleted one that had the id before: it came to name
    the id when this one was there."""
    if tenant.predecessor_deleted_at is None:
        return True
    return (one.began if one.named is None else one.named) > tenant.created_at.timestamp()


def billed(standings: Iterable[Standing]) -> Standing | None:
    """Of a tenant's subscriptions the one whose plan counts: one that is paid for before one that ended, then the
    one that began last. None where none names a plan."""
    naming = [one for one in standings if one.plan is not None]
    return max(naming, key=lambda one: (one.status in ENTITLED, one.began, one.subscription), default=None)


def account(standings: Iterable[Standing]) -> Account:
    """Of one tenant's subscriptions. One that names no plan that we know counts as paid for all the same."""
    known = list(standings)
    counts = billed(known)
    paying = any(one.status in ENTITLED for one in known)
    return Account(counts, counts is not None and counts.status in LAPSED and not paying)


def known_tenant_id(text: str | None) -> str | None:
    """`text` where it is a tenant id, else None: metadata are written by people."""
    try:
        return None if text is None else check_tenant_id(text)
    except ValueError:
        return None


def decide(
    now: Standing, tenant: Tenant | None, before: Account, after: Account, blueprint: Blueprint, *, is_latest: bool
) -> Decision:
    """What an event of the subscription `now` means for its tenant.

    `before` and `after` are what was and is billed. The tenant changes only where that changed: what a person set in
    between stays until the customer buys something else, or the same once more, stops paying or pays again.
    """
    if now.tenant is None:
        return Decision(State.UNMATCHED, "metadata.tenant_id of subscription and customer is missing or no tenant's id")
    if tenant is None:
        return Decision(State.UNMATCHED, "there is no tenant of the id that metadata.tenant_id gives")
    if tenant.product != blueprint.name:
        return Decision(State.UNMATCHED, f"tenant {tenant.id} is one of {tenant.product}, not of {blueprint.name}")
    if tenant.status in (Status.DELETING, Status.DELETED):
        return Decision(State.UNMATCHED, f"tenant {tenant.id} is {tenant.status}")
    if not is_of(now, tenant):
        return Decision(
            State.UNMATCHED,
            f"it named {tenant.id} before this tenant was made, when another had the id; "
            "where it is this one's, take metadata.tenant_id out and put it in again",
        )
    suspension = _suspension(tenant, before, after)
    plan, refused = _next_plan(tenant, before, after, blueprint)
    if plan is not None or suspension != tenant.suspended_for:
        told = [f"plan {tenant.plan} -> {plan.name}"] if plan else []
        if suspension != tenant.suspended_for:
            told.append(f"subscription {now.status}: {'suspended, its data stays' if suspension else 'resumed'}")
        state, reasons = (State.UNMATCHED, [refused, *told]) if refused else (State.APPLIED, told)
        return Decision(state, "; ".join(reasons), _changed(tenant, plan, suspension))
    if refused:
        return Decision(State.UNMATCHED, refused)
    if not is_latest:
        return Decision(State.STALE, "a later event of the subscription is known")
    if now.problem is not None:
        return Decision(State.UNMATCHED, now.problem)
    return _unchanged(now, tenant, after)


def _suspension(tenant: Tenant, before: Account, after: Account) -> Suspension | None:
    """A payment ends what the lack of one began, and nothing else; what a person suspended stays so."""
    if before.lapsed == after.lapsed or tenant.suspended_for is Suspension.OPERATOR:
        return tenant.suspended_for
    return Suspension.PAYMENT if after.lapsed else None


def _next_plan(tenant: Tenant, before: Account, after: Account, blueprint: Blueprint) -> tuple[Plan | None, str | None]:
    """The plan that the tenant goes to, or why it cannot go to the one that is billed now."""
    was, name = None, after.billed.plan if after.billed else None
    # Of another subscription the same plan is one that was bought anew.
    if before.billed and after.billed and before.billed.subscription == after.billed.subscription:
        was = before.billed.plan
    if name is None or name in (was, tenant.plan):
        return None, None
    plan = blueprint.plan(name)
    if plan.tier is not tenant.tier:
        return None, f"plan {plan.name} is of the {plan.tier} tier, the tenant of {tenant.tier}"
    return plan, None


def _unchanged(now: Standing, tenant: Tenant, after: Account) -> Decision:
    paying = after.billed is not None and after.billed.status in ENTITLED
    if now.status in ENTITLED and now.collection_paused is not None:
        told = f"collection is paused ({now.collection_paused}): nobody is charged"
        return Decision(State.APPLIED, f"{told}; the tenant keeps plan {tenant.plan} meanwhile")
    if now.status == "past_due":
        return Decision(
            State.APPLIED, f"past_due: Stripe still collects; the tenant keeps plan {tenant.plan} meanwhile"
        )
    if now.status in BEFORE_PAYMENT:
        return Decision(State.APPLIED, f"{now.status}: nothing was bought; nothing to change")
    if now.status in ENTITLED or paying:
        return Decision(State.APPLIED, "nothing to change")
    if not after.lapsed:
        return Decision(
            State.UNMATCHED,
            f"the subscription is {now.status}; the tenant keeps plan {tenant.plan} until it is decided",
        )
    is_now = {None: "not suspended: a person resumed it", Suspension.OPERATOR: "suspended by a person"}
    told = is_now.get(tenant.suspended_for, "suspended")
    return Decision(State.APPLIED, f"subscription {now.status}; the tenant is {told}")


def _named(order: Sequence[Step], tenant: str | None) -> int | None:
    """When the subscription came to name the tenant for the last time; None: it names none."""
    if tenant is None:
        return None
    changes = [one.event.created for one in order if one.after.tenant == tenant != one.before.tenant]
    return max(changes, default=order[-1].subscription.created)


def _plan_name(price: Price, blueprint: Blueprint) -> str | None:
    """Of the plan, as the price's lookup key or else its metadata name it (`<product>.<plan>`)."""
    prefix = f"{blueprint.name}."
    return next((name.removeprefix(prefix) for name in price.names if name.startswith(prefix)), None)


def _plan(names: Set[str], blueprint: Blueprint) -> tuple[Plan | None, str | None]:
    """The plan that the prices name, or why there is none to bring a tenant to."""
    if len(names) != 1:
        number = f"{len(names)} plans are named" if names else "no plan is named"
        return None, f"{number} by its prices' lookup_key, or else metadata.plan ({blueprint.name}.<plan>)"
    try:
        plan = blueprint.plan(*names)
    except KeyError:
        return None, f"its price names no plan of {blueprint.name}"
    if plan.tier is not Tier.BRIDGE:
        return None, f"plan {plan.name} is of the {plan.tier} tier, which a tenant is not moved to by itself"
    return plan, None


def _changed(tenant: Tenant, plan: Plan | None, suspension: Suspension | None) -> Wanted:
    changes: dict[str, object] = {"suspended_for": suspension}
    if plan is not None:
        changes |= {"plan": plan.name, "tier": plan.tier, "limits": plan.quota.model_dump(mode="json")}
    return tenant.wanted(**changes)
