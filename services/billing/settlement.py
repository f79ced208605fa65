"""One transaction: events stored, tenants moved, operations asked for."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from typing import NamedTuple

import sqlalchemy as sa

from catalog.plans import Blueprint
from fleet import operations, registry
from fleet.operations import Kind
from fleet.registry import Status, Tenant
from services.billing import inbox
from services.billing.effects import Account, Standing, State, account, decide, is_of, known_tenant_id, standing
from services.billing.event import (
    CUSTOMER_TYPES,
    HANDLED_TYPES,
    INVOICE_TYPES,
    SUBSCRIPTION_TYPES,
    TENANT,
    Customer,
    Event,
    Invoice,
    MalformedEvent,
    PreviousMetadata,
    Subscription,
    parse,
    read,
)
from services.billing.history import Step, in_order, step
from services.billing.inbox import Arrival, Conclusion

REQUESTER = "billing"


def arrival(event: Event, payload: bytes, *, livemode: bool) -> Arrival:
    """What can be told of an event by itself."""
    if event.account is not None:
        # Its owner writes metadata and prices as they like: they could name any tenant.
        return Arrival(event, payload, None, State.IGNORED, "an event of a connected account")
    if event.type not in HANDLED_TYPES:
        return Arrival(event, payload, None, State.IGNORED, "a type that nothing here depends on")
    if event.livemode is not livemode:
        # An endpoint is of one mode, and this one is set up for the other. Were they ignored, all would be answered 200
        # and nobody would hear that nothing is carried out.
        told, taken = ("live", "test") if event.livemode else ("test", "live")
        reason = f"an event of {told} mode, and STRIPE_LIVEMODE is set to take those of {taken} mode"
        return Arrival(event, payload, None, State.UNMATCHED, reason)
    try:
        subject = _subject(event)
    except MalformedEvent as error:
        return Arrival(event, payload, None, State.UNMATCHED, f"data.object.{error}")
    if subject is None:
        return Arrival(event, payload, None, State.IGNORED, "an invoice of no subscription")
    return Arrival(event, payload, subject, State.RECEIVED)


def stands_alone(arrivals: Sequence[Arrival]) -> bool:
    """Whether storing these is all there is to do: one statement, which needs no transaction around it."""
    return all(one.state is not State.RECEIVED for one in arrivals)


def settle(connection: sa.Connection, arrivals: Sequence[Arrival], blueprint: Blueprint) -> Mapping[str, Conclusion]:
    """Store the events and carry out what they mean, within the connection's transaction.

    What became of each, by its id; one that was dealt with before is left out. No id twice in `arrivals`.
    """
    fresh = inbox.store(connection, arrivals)
    conclusions = dict(concluded(arrivals, fresh))
    open_ones = [one for one in arrivals if one.event.id in fresh and one.state is State.RECEIVED]
    if open_ones:
        done = _Settlement(connection, blueprint, open_ones).run()
        inbox.conclude(connection, done)
        conclusions |= done
    return conclusions


def concluded(arrivals: Sequence[Arrival], fresh: Set[str]) -> Mapping[str, Conclusion]:
    """What became of those of the `fresh` ones for which storing them was all."""
    return {
        one.event.id: Conclusion(one.state, one.reason)
        for one in arrivals
        if one.event.id in fresh and one.state is not State.RECEIVED
    }


def idempotency_key(event: str, tenant: str) -> str:
    """Of the operation that an event asks for."""
    return f"stripe:{event}:{tenant}"


class _Settlement:
    """Of events that concern subscriptions, all at once: what they have in common is read once."""

    def __init__(self, connection: sa.Connection, blueprint: Blueprint, arrivals: Sequence[Arrival]) -> None:
        self._connection, self._blueprint = connection, blueprint
        self._by_type = {
            kind: [one for one in arrivals if one.event.type in types]
            for kind, types in (
                ("subscription", SUBSCRIPTION_TYPES),
                ("customer", CUSTOMER_TYPES),
                ("invoice", INVOICE_TYPES),
            )
        }
        self._customers = sorted({name for one in arrivals if (name := _customer(one.event)) is not None})

    def run(self) -> dict[str, Conclusion]:
        inbox.lock_customers(self._connection, self._customers)
        causes: dict[str, list[str]] = {}
        for one in self._by_type["subscription"]:
            assert one.subject is not None
            causes.setdefault(one.subject, []).append(one.event.id)
        conclusions = self._customers_named()
        if changed := self._by_type["customer"]:
            named = sorted({one.subject for one in changed if one.subject is not None})
            renamed = sorted({one.subject for one in changed if one.subject is not None and _naming(one.event).anew})
            for subscription in inbox.of_customers(self._connection, named, renamed):
                causes.setdefault(subscription, [])
        if causes:
            conclusions |= self._subscriptions(causes)
        if self._by_type["invoice"]:
            conclusions |= self._invoices()
        return conclusions

    def _subscriptions(self, causes: Mapping[str, Sequence[str]]) -> dict[str, Conclusion]:
        """`causes`: subscriptions to be looked at anew, with the ids of the events that came of each."""
        orders = self._orders(sorted(causes))
        now = self._with_tenants({name: standing(order, self._blueprint) for name, order in orders.items()})
        names = sorted({one.tenant for one in now.values() if one.tenant is not None})
        tenants = dict(registry.lock_all(self._connection, names)) if names else {}
        # Read when the tenants are locked: what others wrote until then is seen.
        known = {one.subscription: one for one in inbox.of_tenants(self._connection, names)} if names else {}
        conclusions: dict[str, Conclusion] = {}
        for name in sorted(now):
            tenant = tenants.get(now[name].tenant or "")
            now[name] = replace(now[name], settled=tenant is not None and self._reaches(now[name], tenant))
            before = _account_of(known, tenant)
            known[name] = now[name]
            after = _account_of(known, tenant)
            arrived = causes[name]
            latest = not arrived or now[name].latest in arrived
            decision = decide(now[name], tenant, before, after, self._blueprint, is_latest=latest)
            if decision.wanted is not None and tenant is not None:
                cause = now[name].latest if latest else max(arrived)
                tenants[tenant.id] = self._change(tenant, decision.wanted, cause)
            for event in arrived:
                counts = event == now[name].latest or (not latest and event == max(arrived))
                conclusions[event] = (
                    Conclusion(decision.state, decision.reason, now[name].tenant)
                    if counts
                    else Conclusion(State.STALE, "a later event of the subscription is known", now[name].tenant)
                )
        inbox.keep(self._connection, list(now.values()))
        return conclusions

    def _reaches(self, one: Standing, tenant: Tenant) -> bool:
        going = tenant.status in (Status.DELETING, Status.DELETED)
        return tenant.product == self._blueprint.name and not going and is_of(one, tenant)

    def _orders(self, subscriptions: Sequence[str]) -> Mapping[str, Sequence[Step]]:
        found = inbox.payloads(self._connection, subscriptions, sorted(SUBSCRIPTION_TYPES))
        return {name: in_order(step(parse(body)) for body in bodies) for name, bodies in found.items()}

    def _with_tenants(self, standings: Mapping[str, Standing]) -> dict[str, Standing]:
        """Each with its tenant: by its own metadata, else by its customer's."""
        asked = sorted({one.customer for one in standings.values() if one.tenant is None})
        by_customer = self._tenants_of_customers(asked)
        found = {}
        for name, one in standings.items():
            named = one.tenant, one.named
            if one.tenant is None:
                named = by_customer.get(one.customer, named)
            found[name] = replace(one, tenant=known_tenant_id(named[0]), named=named[1])
        return found

    def _tenants_of_customers(self, customers: Sequence[str]) -> Mapping[str, tuple[str, int]]:
        """What the last event of each customer says, where it names a tenant, and when that came to be named."""
        if not customers:
            return {}
        tenants: dict[str, tuple[str, int]] = {}
        for customer, bodies in inbox.payloads(self._connection, customers, sorted(CUSTOMER_TYPES)).items():
            events = sorted((parse(body) for body in bodies), key=lambda one: (one.created, one.type, one.id))
            if tenant := _naming(events[-1]).tenant:
                changes = [one.created for one in events if _naming(one) == _Naming(tenant, anew=True)]
                began = read(Customer, events[-1].data.object).created
                tenants[customer] = tenant, max(changes, default=began)
        return tenants

    def _change(self, tenant: Tenant, wanted: registry.Wanted, cause: str) -> Tenant:
        kind = Kind.UPDATE
        if wanted.suspended != tenant.suspended:
            kind = Kind.SUSPEND if wanted.suspended else Kind.RESUME
        registry.change(self._connection, tenant, wanted)
        operations.enqueue(
            self._connection,
            tenant.id,
            kind,
            idempotency_key=self._unused_key(cause, tenant.id),
            requester=REQUESTER,
            correlation_id=cause,
            payload={"event": cause, "plan": wanted.plan, "suspended": wanted.suspended},
        )
        return tenant.model_copy(update=wanted.model_dump(include=set(registry.Wanted.model_fields)))

    def _unused_key(self, cause: str, tenant: str) -> str:
        """The inbox knows which events were dealt with. One that is dealt with again, as it found no tenant or because
        its customer is another's by now, asks for something else than before."""
        first = idempotency_key(cause, tenant)
        keys = (first if number == 1 else f"{first}:{number}" for number in itertools.count(1))
        return next(key for key in keys if operations.by_key(self._connection, key) is None)

    def _customers_named(self) -> dict[str, Conclusion]:
        conclusions = {}
        for one in self._by_type["customer"]:
            tenant = known_tenant_id(_naming(one.event).tenant)
            reason = "it names the tenant" if tenant else "it names no tenant"
            conclusions[one.event.id] = Conclusion(State.APPLIED, reason, tenant)
        return conclusions

    def _invoices(self) -> dict[str, Conclusion]:
        """An invoice changes nothing by itself: what follows from it comes as an event of the subscription."""
        arrivals = self._by_type["invoice"]
        invoices = {one.event.id: read(Invoice, one.event.data.object) for one in arrivals}
        names = sorted({one.subscription_id for one in invoices.values() if one.subscription_id})
        known = inbox.by_id(self._connection, names)
        by_customer = self._tenants_of_customers(sorted({one.customer for one in invoices.values() if one.customer}))
        conclusions = {}
        for one in arrivals:
            invoice = invoices[one.event.id]
            subscription = known.get(invoice.subscription_id or "")
            customers, _ = by_customer.get(invoice.customer or "", (None, 0))
            tenant = known_tenant_id(invoice.tenant or (subscription.tenant if subscription else None) or customers)
            if tenant is None:
                conclusions[one.event.id] = Conclusion(State.UNMATCHED, "the invoice finds no tenant")
            else:
                reason = "paid" if one.event.type == "invoice.paid" else "payment failed; Stripe tries again"
                conclusions[one.event.id] = Conclusion(State.APPLIED, reason, tenant)
        return conclusions


def _account_of(known: Mapping[str, Standing], tenant: Tenant | None) -> Account:
    if tenant is None:
        return account(())
    return account(one for one in known.values() if one.tenant == tenant.id and one.settled and is_of(one, tenant))


class _Naming(NamedTuple):
    """What an event of a customer says of its tenant."""

    tenant: str | None
    anew: bool
    """Whether that changed with the event."""


def _naming(event: Event) -> _Naming:
    tenant = read(Customer, event.data.object).metadata.get(TENANT)
    return _Naming(tenant, read(PreviousMetadata, event.data.previous_attributes or {}).tenant(tenant) != tenant)


def _subject(event: Event) -> str | None:
    """The subscription or customer that the event is about. Raises MalformedEvent where its object cannot be read."""
    if event.type in SUBSCRIPTION_TYPES:
        return step(event).subscription.id
    if event.type in CUSTOMER_TYPES:
        _naming(event)
        return read(Customer, event.data.object).id
    return read(Invoice, event.data.object).subscription_id


def _customer(event: Event) -> str | None:
    if event.type in SUBSCRIPTION_TYPES:
        return read(Subscription, event.data.object).customer_id
    if event.type in CUSTOMER_TYPES:
        return read(Customer, event.data.object).id
    return read(Invoice, event.data.object).customer
