"""Events as Stripe sends them, made and signed here: for rehearsals, until there is an account.

Shapes: https://docs.stripe.com/api/events/object, https://docs.stripe.com/api/subscriptions/object,
https://docs.stripe.com/api/invoices/object (API version below).
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from errors import FreeholdError
from services.billing.signature import sign

API_VERSION = "2025-09-30.clover"

_MONTH_SECONDS = 30 * 24 * 3600
_ANSWER_SECONDS = 30.0


@dataclass(frozen=True)
class Subscription:
    """A subscription of one price. Times are in seconds since the epoch."""

    id: str
    customer: str
    lookup_key: str
    """`<product>.<plan>`; empty: the price has none."""
    tenant: str | None = None
    status: str = "active"
    began: int = 1_760_000_000
    price: str | None = None
    """The price's id; None: one that follows from its lookup key."""
    price_metadata: Mapping[str, str] = field(default_factory=dict)
    collection_paused: str | None = None
    """`keep_as_draft`, `mark_uncollectible` or `void`; None: its invoices are collected."""

    def as_stripe(self) -> dict[str, Any]:
        """Stripe's Subscription object."""
        return {
            "id": self.id,
            "object": "subscription",
            "application": None,
            "billing_cycle_anchor": self.began,
            "cancel_at": None,
            "cancel_at_period_end": False,
            "canceled_at": None,
            "collection_method": "charge_automatically",
            "created": self.began,
            "currency": "usd",
            "customer": self.customer,
            "default_payment_method": None,
            "items": {
                "object": "list",
                "data": [self._item()],
                "has_more": False,
                "total_count": 1,
                "url": f"/v1/subscription_items?subscription={self.id}",
            },
            "latest_invoice": identifier("in", self.id, str(self.began)),
            "livemode": False,
            "metadata": {} if self.tenant is None else {"tenant_id": self.tenant},
            "pause_collection": self.collection_paused and {"behavior": self.collection_paused, "resumes_at": None},
            "start_date": self.began,
            "status": self.status,
            "trial_end": None,
            "trial_start": None,
        }

    def _item(self) -> dict[str, Any]:
        return {
            "id": identifier("si", self.id),
            "object": "subscription_item",
            "created": self.began,
            "current_period_end": self.began + _MONTH_SECONDS,
            "current_period_start": self.began,
            "metadata": {},
            "price": {
                "id": self.price or identifier("price", self.lookup_key),
                "object": "price",
                "active": True,
                "billing_scheme": "per_unit",
                "currency": "usd",
                "livemode": False,
                "lookup_key": self.lookup_key or None,
                "metadata": dict(self.price_metadata),
                "product": identifier("prod", self.lookup_key),
                "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"},
                "type": "recurring",
            },
            "quantity": 1,
            "subscription": self.id,
        }


def identifier(prefix: str, *parts: str) -> str:
    """An id such as `sub_1a2b...`: the same for the same parts."""
    return f"{prefix}_{hashlib.sha256('|'.join(parts).encode()).hexdigest()[:24]}"


def event(kind: str, content: Mapping[str, Any], *, id: str, created: int, **changes: Any) -> dict[str, Any]:
    """Stripe's Event object of type `kind`; `changes` replace some of its properties."""
    return {
        "id": id,
        "object": "event",
        "api_version": API_VERSION,
        "created": created,
        "data": {"object": dict(content)},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": identifier("req", id), "idempotency_key": None},
        "type": kind,
        **changes,
    }


def subscription_event(
    change: str, now: Subscription, before: Subscription | None = None, *, id: str, created: int
) -> dict[str, Any]:
    """`change` is created, updated or deleted; `before` is what an update replaced."""
    made = event(f"customer.subscription.{change}", now.as_stripe(), id=id, created=created)
    if before is not None:
        made["data"]["previous_attributes"] = _replaced(before.as_stripe(), now.as_stripe())
    return made


def invoice_event(
    kind: str, subscription: Subscription | None, *, id: str, created: int, customer: str = "cus_0"
) -> dict[str, Any]:
    """`kind` is invoice.paid or invoice.payment_failed; of no subscription where there is none."""
    details = None
    if subscription is not None:
        customer = subscription.customer
        metadata = subscription.as_stripe()["metadata"]
        details = {
            "type": "subscription_details",
            "quote_details": None,
            "subscription_details": {"metadata": metadata, "subscription": subscription.id},
        }
    paid = kind == "invoice.paid"
    invoice = {
        "id": identifier("in", id),
        "object": "invoice",
        "attempt_count": 1,
        "attempted": True,
        "billing_reason": "subscription_cycle" if subscription else "manual",
        "collection_method": "charge_automatically",
        "created": created,
        "currency": "usd",
        "customer": customer,
        "livemode": False,
        "metadata": {},
        "parent": details,
        "status": "paid" if paid else "open",
    }
    return event(kind, invoice, id=id, created=created)


def customer_event(
    change: str,
    customer: str,
    tenant: str | None,
    *,
    id: str,
    created: int,
    began: int | None = None,
    **replaced: str | None,
) -> dict[str, Any]:
    """`change` is created or updated; `began` is when the customer was made, with the event unless told; `tenant_id` is
    what an update replaced."""
    metadata = {} if tenant is None else {"tenant_id": tenant}
    began = created if began is None else began
    content = {"id": customer, "object": "customer", "created": began, "livemode": False, "metadata": metadata}
    made = event(f"customer.{change}", content, id=id, created=created)
    if replaced:
        made["data"]["previous_attributes"] = {"metadata": replaced}
    return made


def plan_change(tenant: str, product: str, plan: str, to: str) -> dict[str, Any]:
    """The event of a customer who goes from `plan` to plan `to`; its id is the same each time it is asked for."""
    subscription, customer = identifier("sub", "rehearsal", tenant), identifier("cus", "rehearsal", tenant)
    old, new = (Subscription(subscription, customer, f"{product}.{name}", tenant) for name in (plan, to))
    return subscription_event(
        "updated", new, old, id=identifier("evt", "rehearsal", tenant, plan, to), created=int(time.time())
    )


def body_and_headers(
    content: Mapping[str, Any], secret: str, signed_at: int | None = None
) -> tuple[bytes, dict[str, str]]:
    """What Stripe would POST; signed now unless told when."""
    body = json.dumps(content, indent=2).encode()
    signature = sign(body, secret.encode(), int(time.time()) if signed_at is None else signed_at)
    return body, {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": signature}


def deliver(url: str, secret: str, content: Mapping[str, Any]) -> str:
    """Send an event to the webhook as Stripe would; what became of it: applied, duplicate, ...

    Raises FreeholdError where the webhook does not take it.
    """
    body, headers = body_and_headers(content, secret)
    try:
        answer = httpx.post(url, content=body, headers=headers, timeout=_ANSWER_SECONDS, trust_env=False)
    except httpx.TransportError as error:
        raise FreeholdError(str(error), where=url, mend="./freehold sandbox status") from None
    if answer.status_code != httpx.codes.OK:
        what = f"event {content['id']} was answered {answer.status_code}: {answer.text.strip()}"
        raise FreeholdError(what, where=url, mend="see the log of billing-webhook in FREEHOLD_HOME/logs")
    return str(answer.json()["state"])


def _replaced(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Stripe's `previous_attributes`: of objects only what changed, of lists all."""
    replaced: dict[str, Any] = {}
    for key in sorted(before.keys() | now.keys()):
        old, new = before.get(key), now.get(key)
        if old == new:
            continue
        inner = isinstance(old, dict) and isinstance(new, dict)
        replaced[key] = _replaced(old, new) if inner else old  # type: ignore[arg-type]
    return replaced
