"""What each service's role may do in the control database, table by table; nothing that is not named here.

The roles are the platform's (`components.service_login`), the tables are the migrations': whichever comes first, the
next opening of the database grants what is missing and takes away what is too much. The tables' owner grants, which
on a managed server takes neither a superuser nor a membership in the roles.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple

import sqlalchemy as sa

from catalog.services import Service

Verb = Literal["SELECT", "INSERT", "UPDATE", "DELETE"]
_WHOLE: Final = ("",)
"""All columns, those of later revisions too."""

# To lock a row (FOR UPDATE) takes UPDATE of one of its columns. A foreign key is checked as the table's owner, and a
# column that is GENERATED AS IDENTITY needs no right to its sequence.
_MAY: Final[Mapping[Service, Mapping[str, Mapping[Verb, tuple[str, ...]]]]] = {
    Service.BILLING: {
        "billing_inbox": {
            "SELECT": _WHOLE,
            "INSERT": ("id", "type", "subject", "livemode", "api_version", "created", "payload", "state", "reason",
                       "correlation_id"),
            "UPDATE": ("subject", "state", "reason", "tenant"),
        },
        "billing_subscriptions": {
            "SELECT": _WHOLE,
            "INSERT": ("id", "customer", "began", "tenant", "named", "status", "collection_paused", "plan", "problem",
                       "latest", "settled"),
            "UPDATE": ("tenant", "named", "status", "collection_paused", "plan", "problem", "latest", "settled",
                       "updated_at"),
        },
        "tenants": {
            "SELECT": _WHOLE,
            "UPDATE": ("plan", "tier", "limits", "suspended_for", "desired_hash", "updated_at"),
        },
        "operations": {
            "SELECT": _WHOLE,
            "INSERT": ("tenant", "kind", "idempotency_key", "requester", "payload", "correlation_id"),
        },
    },
    Service.NOTIFIER: {
        "budget_alerts": {
            "SELECT": _WHOLE,
            "INSERT": ("id", "account", "budget", "type", "threshold", "period", "budgeted", "spent", "correlation_id"),
            "UPDATE": ("repeats",),
        },
        "budget_alert_deliveries": {
            "SELECT": _WHOLE,
            "INSERT": ("alert", "sink"),
            "UPDATE": ("state", "attempts", "not_before", "last_error", "attempted_at", "settled_at"),
        },
    },
    Service.RUNNER: {
        "tenants": {
            "SELECT": _WHOLE,
            "UPDATE": ("status", "applied_hash", "program_version", "last_error", "updated_at", "applied_at",
                       "deleted_at"),
        },
        "operations": {
            "SELECT": _WHOLE,
            "UPDATE": ("state", "attempt", "failures", "takeovers", "not_before", "lease_holder", "lease_until",
                       "progress", "result", "error", "started_at", "finished_at", "seconds"),
        },
        # It does not bring the schema up to date, and has to know whether it is.
        "alembic_version": {"SELECT": _WHOLE},
    },
}  # fmt: skip

_THERE = sa.text("SELECT rolname FROM pg_roles WHERE rolname = ANY(CAST(:roles AS text[]))")
_HELD = sa.text("""
    WITH relation AS (
        SELECT oid, relname, relacl FROM pg_class
        WHERE relnamespace = CAST(current_schema() AS regnamespace) AND relowner = CAST(current_user AS regrole)
    ), entry AS (
        SELECT relname, '' AS attname, list.* FROM relation, aclexplode(relacl) AS list
        UNION ALL
        SELECT relname, attname, list.*
        FROM relation JOIN pg_attribute ON attrelid = oid, aclexplode(attacl) AS list
    )
    SELECT rolname, relname, attname, privilege_type FROM entry JOIN pg_roles ON pg_roles.oid = grantee
    WHERE rolname = ANY(CAST(:roles AS text[]))
""")


# Any number that nothing else in this database locks.
_LOCK: Final = 7_461_930_225


class _Right(NamedTuple):
    role: str
    table: str
    column: str
    verb: str


def grant(connection: sa.Connection) -> bool:
    """Bring the rights of the services' roles, those that there are, to what they shall be; whether that changed any.

    Within the connection's transaction; its user owns the tables, which are all there.
    """
    roles = {service.role: service for service in Service}
    names = {"roles": list(roles)}
    there = set(connection.scalars(_THERE, names))
    wanted = {right for role in there for right in _rights(roles[role])}

    def held() -> set[_Right]:
        return {_Right(*row) for row in connection.execute(_HELD, names)}

    if held() == wanted:
        return False
    # Two that grant at once would change the same rows of the catalog, and one would fail.
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    if (had := held()) == wanted:
        return False
    quoted = connection.dialect.identifier_preparer.quote
    for role, table in sorted({(right.role, right.table) for right in had}):
        connection.exec_driver_sql(f"REVOKE ALL ON {quoted(table)} FROM {quoted(role)}")
    for role in sorted(there):
        for table, verbs in _MAY[roles[role]].items():
            connection.exec_driver_sql(f"GRANT {_listed(verbs)} ON {quoted(table)} TO {quoted(role)}")
    return True


def _rights(service: Service) -> Iterable[_Right]:
    for table, verbs in _MAY[service].items():
        for verb, columns in verbs.items():
            for column in columns:
                yield _Right(service.role, table, column, verb)


def _listed(verbs: Mapping[Verb, tuple[str, ...]]) -> str:
    """`SELECT, UPDATE (state, reason)`."""
    return ", ".join(verb if columns == _WHOLE else f"{verb} ({', '.join(columns)})" for verb, columns in verbs.items())
