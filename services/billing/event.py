"""What is read of Stripe's events; all else in them is kept as bytes and not looked at.

https://docs.stripe.com/api/events/object
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,255}$")]
Seconds = Annotated[int, Field(ge=0, lt=2**33)]
"""Since the epoch, as Stripe writes times."""

TENANT = "tenant_id"
"""The key in a subscription's or a customer's metadata that names the tenant."""

PLAN = "plan"
"""The key in a price's metadata that names the plan where its lookup key does not."""

PAUSE_TYPES = frozenset({"customer.subscription.paused", "customer.subscription.resumed"})
"""Told when a subscription comes to be `paused`, and when that ends. They never say what was before: an update does."""
SUBSCRIPTION_TYPES = PAUSE_TYPES | {
    "customer.subscription.created",
    "customer.subscription.updated",
    "customer.subscription.deleted",
}
INVOICE_TYPES = frozenset({"invoice.paid", "invoice.payment_failed"})
CUSTOMER_TYPES = frozenset({"customer.created", "customer.updated"})
"""Read for their metadata alone: a subscription's event names the customer by id only."""
HANDLED_TYPES = SUBSCRIPTION_TYPES | INVOICE_TYPES | CUSTOMER_TYPES


class MalformedEvent(Exception):
    """What is wrong with a body, in one line that quotes nothing of it."""


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


Model = TypeVar("Model", bound=_Read)


class Data(_Read):
    object: Mapping[str, Any]
    previous_attributes: Mapping[str, Any] | None = None


class Event(_Read):
    id: Identifier
    object: Literal["event"]
    type: Annotated[str, Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)*$", max_length=128)]
    livemode: bool
    account: Identifier | None = None
    """The connected account that it happened in; None: our own."""
    api_version: Annotated[str, Field(pattern=r"^[ -~]{1,1024}$")] | None = None
    """`2026-01-28.clover`; an endpoint that was made with previews names them too: `2023-10-16; invoices_beta=v1`."""
    created: Seconds
    data: Data


class Price(_Read):
    """Whole in each event, as it is by then. https://docs.stripe.com/api/prices/object"""

    id: str
    lookup_key: str | None = None
    metadata: dict[str, str] | None = None

    @property
    def names(self) -> Sequence[str]:
        """What it may name a plan by, what counts first."""
        return [name for name in (self.lookup_key, (self.metadata or {}).get(PLAN)) if name]


class _Item(_Read):
    price: Price | None = None


class _Items(_Read):
    data: list[_Item]

    @property
    def prices(self) -> Sequence[Price]:
        return [item.price for item in self.data if item.price]

    @property
    def price_ids(self) -> tuple[str, ...]:
        """Each once, in order of the alphabet."""
        return tuple(sorted({price.id for price in self.prices}))


class PauseCollection(_Read):
    """Nobody is charged meanwhile. https://docs.stripe.com/billing/subscriptions/pause-payment"""

    behavior: Annotated[str, Field(pattern=r"^[a-z_]{1,40}$")] | None = None
    """What becomes of its invoices: `keep_as_draft`, `mark_uncollectible` or `void`."""


class Customer(_Read):
    id: Identifier
    created: Seconds = 0
    metadata: dict[str, str] = {}


class Subscription(_Read):
    id: Identifier
    customer: Identifier | Customer
    status: Annotated[str, Field(pattern=r"^[a-z_]{1,40}$")]
    created: Seconds
    metadata: dict[str, str] = {}
    items: _Items
    pause_collection: PauseCollection | None = None

    @property
    def customer_id(self) -> str:
        return self.customer if isinstance(self.customer, str) else self.customer.id

    @property
    def collection_paused(self) -> str | None:
        """How its invoices are treated while nobody is charged for them; None: they are collected."""
        return None if self.pause_collection is None else self.pause_collection.behavior or "paused"


class PreviousMetadata(_Read):
    """What an update replaced in the metadata: only the keys that changed are there."""

    metadata: dict[str, str | None] | None = None

    def tenant(self, now: str | None) -> str | None:
        """What the metadata named; `now` is what they name since."""
        if self.metadata is not None and TENANT in self.metadata:
            return self.metadata[TENANT]
        return now


class Previous(PreviousMetadata):
    """What an update of a subscription replaced: only what changed is there, lists are whole."""

    status: str | None = None
    items: _Items | None = None
    pause_collection: PauseCollection | None = None

    def collection_paused(self, now: str | None) -> str | None:
        """How collection was paused; `now` is how it is since."""
        if "pause_collection" not in self.model_fields_set:
            return now
        return None if self.pause_collection is None else self.pause_collection.behavior or now


class _SubscriptionDetails(_Read):
    subscription: Identifier | None = None
    metadata: dict[str, str] | None = None


class _Parent(_Read):
    subscription_details: _SubscriptionDetails | None = None


class Invoice(_Read):
    id: Identifier
    customer: Identifier | None = None
    parent: _Parent | None = None
    """Since API version 2025-03-31."""
    subscription: Identifier | None = None
    """Before it."""
    subscription_details: _SubscriptionDetails | None = None

    @property
    def subscription_id(self) -> str | None:
        """None: it is not a subscription's."""
        details = self.parent.subscription_details if self.parent else None
        return (details.subscription if details else None) or self.subscription

    @property
    def tenant(self) -> str | None:
        """What the subscription's metadata said when the invoice was made."""
        details = (self.parent.subscription_details if self.parent else None) or self.subscription_details
        return (details.metadata or {}).get(TENANT) if details else None


def parse(body: bytes) -> Event:
    """Raises MalformedEvent."""
    try:
        return Event.model_validate_json(body)
    except ValidationError as error:
        raise MalformedEvent(_first(error)) from None


def read(model: type[Model], content: Mapping[str, Any]) -> Model:
    """Raises MalformedEvent."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise MalformedEvent(_first(error)) from None


def _first(error: ValidationError) -> str:
    detail = error.errors(include_input=False, include_url=False, include_context=False)[0]
    # The place is the sender's text where it is a key of a mapping: a line of it, and nothing that Postgres refuses.
    place = re.sub(r"[^ -~]", "?", ".".join(str(part) for part in detail["loc"])[:100])
    kind = "not JSON" if detail["type"] == "json_invalid" else str(detail["type"])
    return f"{place}: {kind}" if place else kind
