"""What a subscription means for a tenant: pure functions, from what is known to what shall be.

A tenant goes to another plan of its own tier, and is suspended while nothing of what it bought is paid for. The runner
cannot move it between tiers yet: a plan of another tier is kept, counted and left to a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from catalog.identifiers import check_tenant_id
from catalog.plans import Blueprint, Plan, Tier
from fleet.registry import Status, Suspension, Tenant, Wanted
from services.billing.history import Condition, Step

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
    """Of no meaning here: another type, another mode."""
    UNMATCHED = "unmatched"
    """It finds no tenant, no plan, or a plan that the tenant cannot be brought to: somebody should look."""
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
    status: str
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
    found, problem = None, None
    for one in order:
        if one.after.status not in BEFORE_PAYMENT:
            plan, problem = _plan(one.after, blueprint)
            found = plan or found
    tenants = [one.after.tenant for one in order if one.after.tenant]
    return Standing(
        subscription=last.subscription.id,
        customer=last.subscription.customer_id,
        began=last.subscription.created,
        tenant=tenants[-1] if tenants else None,
        status="canceled" if last.ends else last.after.status,
        plan=found.name if found else None,
        problem=problem,
        latest=last.event.id,
    )


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
    between stays until the customer buys something else, stops paying or pays again.
    """
    if now.tenant is None:
        return Decision(State.UNMATCHED, "neither the subscription nor its customer has metadata.tenant_id")
    if tenant is None:
        return Decision(State.UNMATCHED, "there is no tenant of the id that metadata.tenant_id gives")
    if tenant.product != blueprint.name:
        return Decision(State.UNMATCHED, f"tenant {tenant.id} is one of {tenant.product}, not of {blueprint.name}")
    if tenant.status in (Status.DELETING, Status.DELETED):
        return Decision(State.UNMATCHED, f"tenant {tenant.id} is {tenant.status}")
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
    was = before.billed.plan if before.billed else None
    name = after.billed.plan if after.billed else None
    if name is None or name in (was, tenant.plan):
        return None, None
    plan = blueprint.plan(name)
    if plan.tier is not tenant.tier:
        return None, f"plan {plan.name} is of the {plan.tier} tier, the tenant of {tenant.tier}"
    return plan, None


def _unchanged(now: Standing, tenant: Tenant, after: Account) -> Decision:
    paying = after.billed is not None and after.billed.status in ENTITLED
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


def _plan(condition: Condition, blueprint: Blueprint) -> tuple[Plan | None, str | None]:
    """The plan that the prices' lookup keys name (`<product>.<plan>`), or why there is none to bring a tenant to."""
    prefix = f"{blueprint.name}."
    names = [key.removeprefix(prefix) for key in condition.lookup_keys if key.startswith(prefix)]
    if len(names) != 1:
        return None, f"{len(names) or 'none'} of its prices has a lookup_key {prefix}<plan>"
    try:
        plan = blueprint.plan(names[0])
    except KeyError:
        return None, f"its price's lookup_key names no plan of {blueprint.name}"
    if plan.tier is not Tier.BRIDGE:
        return None, f"plan {plan.name} is of the {plan.tier} tier, which a tenant is not moved to by itself"
    return plan, None


def _changed(tenant: Tenant, plan: Plan | None, suspension: Suspension | None) -> Wanted:
    changes: dict[str, object] = {"suspended_for": suspension}
    if plan is not None:
        changes |= {"plan": plan.name, "tier": plan.tier, "limits": plan.quota.model_dump(mode="json")}
    return tenant.wanted(**changes)
