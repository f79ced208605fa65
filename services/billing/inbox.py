"""The tables of the billing webhook: each event once, each subscription as its known events leave it.

Every function works within the connection's transaction, on many rows at a time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import sqlalchemy as sa
from psycopg.pq import Format
from pydantic_core import to_json

from services.billing import single_statement
from services.billing.effects import Standing, State
from services.billing.event import Event

_HISTORY = 500
"""Events of one subscription that are read at most, the newest first."""

# One statement for a whole batch. An event whose effect failed when it came first, or that found no tenant or no plan,
# is taken up again. So is one that was ignored and means something by now, as the mode was set wrong or an earlier
# program did not know its type; unless it was emptied since.
_STORE = """
    INSERT INTO billing_inbox
        (id, type, subject, livemode, api_version, created, payload, state, reason, correlation_id)
    SELECT id, type, subject, livemode, api_version, to_timestamp(created),
        substring(CAST(%(payloads)s AS bytea) FROM at FOR size), state, reason, id
    FROM json_to_recordset(CAST(%(rows)s AS json)) AS arrived (
        id text, type text, subject text, livemode boolean, api_version text, created bigint, at integer, size integer,
        state text, reason text
    )
    ON CONFLICT (id) DO UPDATE SET
        subject = excluded.subject, state = excluded.state, reason = excluded.reason
    WHERE billing_inbox.state IN ('received', 'unmatched')
        OR billing_inbox.state = 'ignored' AND excluded.state <> 'ignored' AND billing_inbox.payload <> ''
    RETURNING id
"""
STORE = (_STORE % {"payloads": "$1", "rows": "$2"}).encode()
"""The same as libpq takes it, with `store_values` in STORE_FORMATS. It returns what `store` does."""
STORE_FORMATS = (Format.BINARY, Format.TEXT)

_LOCK = sa.text(
    "SELECT count(pg_advisory_xact_lock(hashtextextended('billing:' || customer, 0))) "
    "FROM unnest(CAST(:customers AS text[])) AS customer"
)

_HISTORIES = sa.text("""
    SELECT subject, payload FROM unnest(CAST(:subjects AS text[])) AS wanted (id), LATERAL (
        SELECT subject, payload FROM billing_inbox
        WHERE subject = wanted.id AND type = ANY(CAST(:types AS text[]))
        ORDER BY created DESC LIMIT :most
    ) AS events
""")

_SUBSCRIPTION = "id, customer, began, tenant, named, status, collection_paused, plan, problem, latest, settled"
_OF_TENANTS = sa.text(f"SELECT {_SUBSCRIPTION} FROM billing_subscriptions WHERE tenant = ANY(CAST(:tenants AS text[]))")
_BY_ID = sa.text(f"SELECT {_SUBSCRIPTION} FROM billing_subscriptions WHERE id = ANY(CAST(:ids AS text[]))")
_OF_CUSTOMERS = sa.text("""
    SELECT id FROM billing_subscriptions
    WHERE customer = ANY(CAST(:customers AS text[]))
        AND (tenant IS NULL OR customer = ANY(CAST(:renamed AS text[])))
""")
_KEEP = sa.text(f"""
    INSERT INTO billing_subscriptions ({_SUBSCRIPTION})
    SELECT * FROM unnest(
        CAST(:subscription AS text[]), CAST(:customer AS text[]), CAST(:began AS bigint[]), CAST(:tenant AS text[]),
        CAST(:named AS bigint[]), CAST(:status AS text[]), CAST(:collection_paused AS text[]), CAST(:plan AS text[]),
        CAST(:problem AS text[]), CAST(:latest AS text[]), CAST(:settled AS boolean[])
    )
    ON CONFLICT (id) DO UPDATE SET
        tenant = excluded.tenant, named = excluded.named, status = excluded.status,
        collection_paused = excluded.collection_paused, plan = excluded.plan, problem = excluded.problem,
        latest = excluded.latest, settled = excluded.settled, updated_at = now()
""")
_CONCLUDE = sa.text("""
    UPDATE billing_inbox SET state = done.state, reason = done.reason, tenant = done.tenant
    FROM unnest(
        CAST(:id AS text[]), CAST(:state AS text[]), CAST(:reason AS text[]), CAST(:tenant AS text[])
    ) AS done (id, state, reason, tenant)
    WHERE billing_inbox.id = done.id
""")


@dataclass(frozen=True)
class Arrival:
    """An event as it came, with what is known of it before the database is asked."""

    event: Event
    payload: bytes
    subject: str | None
    state: State
    reason: str | None = None


@dataclass(frozen=True)
class Conclusion:
    """What became of an event."""

    state: State
    reason: str | None
    tenant: str | None = None


def store(connection: sa.Connection, arrivals: Sequence[Arrival]) -> set[str]:
    """Keep those that are not there yet; the ids of those that this call has to deal with: they are new, or were left
    `received` or `unmatched`, or ignored for a reason that is gone. Of one that was there the payload stays.

    No id twice.
    """
    return {row[0] for row in connection.exec_driver_sql(_STORE, _named(arrivals))}


def store_alone(connection: single_statement.Connection, arrivals: Sequence[Arrival]) -> set[str]:
    """`store` as a transaction by itself."""
    return {row[0] for row in connection.execute(_STORE, _named(arrivals))}


def _named(arrivals: Sequence[Arrival]) -> dict[str, str | bytes]:
    payloads, rows = store_values(arrivals)
    return {"payloads": payloads, "rows": rows.decode()}


def store_values(arrivals: Sequence[Arrival]) -> tuple[bytes, bytes]:
    """Of STORE. In order of their ids, so that two transactions never wait for each other in a circle. No id twice."""
    rows, bodies, at = [], [], 1
    for one in sorted(arrivals, key=lambda one: one.event.id):
        event, size = one.event, len(one.payload)
        rows.append(
            {
                "id": event.id,
                "type": event.type,
                "subject": one.subject,
                "livemode": event.livemode,
                "api_version": event.api_version,
                "created": event.created,
                "at": at,
                "size": size,
                "state": one.state,
                "reason": one.reason,
            }
        )
        bodies.append(one.payload)
        at += size
    # Bytes go as they are, as one value. The rest as JSON: one array a column takes the driver far longer to write.
    return b"".join(bodies), to_json(rows)


def lock_customers(connection: sa.Connection, customers: Sequence[str]) -> None:
    """Until the transaction ends nobody else deals with events of these customers."""
    connection.execute(_LOCK, {"customers": sorted(customers)})


def payloads(connection: sa.Connection, subjects: Sequence[str], types: Sequence[str]) -> Mapping[str, Sequence[bytes]]:
    """Of the events of `types` that are about each of `subjects`, the newest first."""
    found: dict[str, list[bytes]] = defaultdict(list)
    values = {"subjects": list(subjects), "types": list(types), "most": _HISTORY}
    for subject, payload in connection.execute(_HISTORIES, values):
        found[subject].append(bytes(payload))
    return found


def of_tenants(connection: sa.Connection, tenants: Sequence[str]) -> Sequence[Standing]:
    """The subscriptions that name these tenants."""
    return [_standing(row) for row in connection.execute(_OF_TENANTS, {"tenants": list(tenants)})]


def by_id(connection: sa.Connection, subscriptions: Sequence[str]) -> Mapping[str, Standing]:
    rows = connection.execute(_BY_ID, {"ids": list(subscriptions)})
    return {row.id: _standing(row) for row in rows}


def of_customers(connection: sa.Connection, customers: Sequence[str], renamed: Sequence[str]) -> Sequence[str]:
    """The subscriptions of these customers of which no tenant is known, and all of those that are `renamed`."""
    return list(connection.execute(_OF_CUSTOMERS, {"customers": list(customers), "renamed": list(renamed)}).scalars())


def keep(connection: sa.Connection, standings: Sequence[Standing]) -> None:
    """Write down what is known of the subscriptions now."""
    if standings:
        names = [field.name for field in fields(Standing)]
        connection.execute(_KEEP, {name: [getattr(one, name) for one in standings] for name in names})


def conclude(connection: sa.Connection, conclusions: Mapping[str, Conclusion]) -> None:
    """Write down what became of events, by id."""
    if not conclusions:
        return
    values = {
        "id": list(conclusions),
        "state": [one.state.value for one in conclusions.values()],
        "reason": [one.reason for one in conclusions.values()],
        "tenant": [one.tenant for one in conclusions.values()],
    }
    connection.execute(_CONCLUDE, values)


def _standing(row: sa.Row[tuple[object, ...]]) -> Standing:
    values = dict(row._mapping)
    return Standing(subscription=str(values.pop("id")), **values)
