"""What a subscription means for a tenant: pure functions, from what is known to what shall be.

The runner can bring a tenant to another plan of its own tier. It can neither suspend nor move between tiers yet; so a
subscription that ended, and a plan of another tier, change nothing: the event is kept, counted and left to a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from catalog.identifiers import check_tenant_id
from catalog.plans import Blueprint, Plan, Tier
from fleet.registry import Status, Tenant, Wanted
from services.billing.history import Condition, Step

ENTITLED = frozenset({"active", "trialing", "past_due"})
"""Statuses in which a customer has what was bought; `past_due` is still being collected."""

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


def known_tenant_id(text: str | None) -> str | None:
    """`text` where it is a tenant id, else None: metadata are written by people."""
    try:
        return None if text is None else check_tenant_id(text)
    except ValueError:
        return None


def decide(
    now: Standing,
    tenant: Tenant | None,
    before: Standing | None,
    after: Standing | None,
    blueprint: Blueprint,
    *,
    is_latest: bool,
) -> Decision:
    """What an event of the subscription `now` means for its tenant.

    `before` and `after` are what was and is billed, over all the tenant's subscriptions that its row has followed. The
    tenant changes only where that changed: what a person set in between stays until the customer buys something else.
    """
    if now.tenant is None:
        return Decision(State.UNMATCHED, "neither the subscription nor its customer has metadata.tenant_id")
    if tenant is None:
        return Decision(State.UNMATCHED, "there is no tenant of the id that metadata.tenant_id gives")
    if tenant.product != blueprint.name:
        return Decision(State.UNMATCHED, f"tenant {tenant.id} is one of {tenant.product}, not of {blueprint.name}")
    if tenant.status in (Status.DELETING, Status.DELETED):
        return Decision(State.UNMATCHED, f"tenant {tenant.id} is {tenant.status}")
    changed = after is not None and (before is None or before.plan != after.plan)
    if changed and after is not None and after.plan is not None and after.plan != tenant.plan:
        plan = blueprint.plan(after.plan)
        if plan.tier is not tenant.tier:
            return Decision(
                State.UNMATCHED, f"plan {plan.name} is of the {plan.tier} tier, the tenant of {tenant.tier}"
            )
        return Decision(State.APPLIED, f"plan {tenant.plan} -> {plan.name}", _on_plan(tenant, plan))
    if not is_latest:
        return Decision(State.STALE, "a later event of the subscription is known")
    if now.problem is not None:
        return Decision(State.UNMATCHED, now.problem)
    if now.status not in ENTITLED | BEFORE_PAYMENT and (after is None or after.status not in ENTITLED):
        return Decision(
            State.UNMATCHED,
            f"the subscription is {now.status}; the tenant keeps plan {tenant.plan} until it is decided",
        )
    return Decision(State.APPLIED, "nothing to change")


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


def _on_plan(tenant: Tenant, plan: Plan) -> Wanted:
    values = tenant.model_dump(include=set(Wanted.model_fields))
    return Wanted.model_validate(
        {**values, "plan": plan.name, "tier": plan.tier, "limits": plan.quota.model_dump(mode="json")}
    )
