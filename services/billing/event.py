"""What is read of Stripe's events; all else in them is kept as bytes and not looked at.

https://docs.stripe.com/api/events/object
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,255}$")]
Seconds = Annotated[int, Field(ge=0, lt=2**33)]
"""Since the epoch, as Stripe writes times."""

TENANT = "tenant_id"
"""The key in a subscription's or a customer's metadata that names the tenant."""

SUBSCRIPTION_TYPES = frozenset(
    {"customer.subscription.created", "customer.subscription.updated", "customer.subscription.deleted"}
)
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
    api_version: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")] | None = None
    created: Seconds
    data: Data


class _Price(_Read):
    lookup_key: str | None = None


class _Item(_Read):
    price: _Price | None = None


class _Items(_Read):
    data: list[_Item]

    @property
    def lookup_keys(self) -> tuple[str, ...]:
        """Of the prices that have one, in order of the alphabet."""
        return tuple(sorted({item.price.lookup_key for item in self.data if item.price and item.price.lookup_key}))


class Customer(_Read):
    id: Identifier
    metadata: dict[str, str] = {}


class Subscription(_Read):
    id: Identifier
    customer: Identifier | Customer
    status: Annotated[str, Field(pattern=r"^[a-z_]{1,40}$")]
    created: Seconds
    metadata: dict[str, str] = {}
    items: _Items

    @property
    def customer_id(self) -> str:
        return self.customer if isinstance(self.customer, str) else self.customer.id


class Previous(_Read):
    """What an update replaced: only what changed is there, lists are whole."""

    status: str | None = None
    metadata: dict[str, str | None] | None = None
    items: _Items | None = None


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
    # The place is the sender's text where it is a key of a mapping.
    place = ".".join(str(part) for part in detail["loc"])[:100].encode("ascii", "replace").decode()
    kind = "not JSON" if detail["type"] == "json_invalid" else str(detail["type"])
    return f"{place}: {kind}" if place else kind
