"""The queue of operations on tenants: who asks inserts a row, the runner does the rest.

A row says that a tenant is to be brought to what the registry wants of it; what that is stands in the registry, not in
the row, so that an operation that comes late does what is wanted by then.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict
from sqlalchemy.dialects.postgresql import JSONB, insert

from errors import UsageError
from fleet.registry import METADATA

_MOMENT = sa.DateTime(timezone=True)
OPERATIONS = sa.Table(
    "operations",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True, server_default=sa.func.gen_random_uuid()),
    sa.Column("number", sa.BigInteger, sa.Identity(always=True), nullable=False),
    sa.Column("tenant", sa.Text, sa.ForeignKey("tenants.id"), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("idempotency_key", sa.Text, nullable=False, unique=True),
    sa.Column("requester", sa.Text, nullable=False),
    sa.Column("payload", JSONB, nullable=False),
    sa.Column("correlation_id", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default="queued"),
    sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
    sa.Column("takeovers", sa.Integer, nullable=False, server_default="0"),
    sa.Column("not_before", _MOMENT, nullable=False, server_default=sa.func.now()),
    sa.Column("lease_holder", sa.Text),
    sa.Column("lease_until", _MOMENT),
    sa.Column("progress", JSONB),
    sa.Column("result", JSONB),
    sa.Column("error", sa.Text),
    sa.Column("created_at", _MOMENT, nullable=False, server_default=sa.func.now()),
    sa.Column("started_at", _MOMENT),
    sa.Column("finished_at", _MOMENT),
    sa.Column("seconds", sa.Double),
)


class Kind(StrEnum):
    """What is to be done."""

    CREATE = "create"
    UPDATE = "update"
    SUSPEND = "suspend"
    RESUME = "resume"
    MOVE = "move"
    ROTATE = "rotate"
    DELETE = "delete"


class State(StrEnum):
    """Where an operation is in its life; the last three are ends."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """Given up; `error` says why."""
    CANCELLED = "cancelled"


class Operation(BaseModel):
    """A row of the queue. Times are in UTC."""

    model_config = ConfigDict(frozen=True)

    id: uuid.UUID
    number: int
    """Grows in the order of asking."""
    tenant: str
    kind: Kind
    idempotency_key: str
    requester: str
    """`cli:<user>`, `billing`, `fleet`."""
    payload: Mapping[str, Any]
    correlation_id: str
    """The same from the event that caused it to the stack run."""
    state: State
    attempt: int
    """How many times it was begun."""
    failures: int
    """How many attempts failed in a way that may pass."""
    takeovers: int
    """How many attempts ended with the death of whoever made them."""
    not_before: datetime
    lease_holder: str | None
    lease_until: datetime | None
    """Past it, whoever held it is taken for dead."""
    progress: Mapping[str, Any] | None
    """Of the attempt that runs, as its holder told it last."""
    result: Mapping[str, Any] | None
    error: str | None
    """Of the last attempt that failed."""
    created_at: datetime
    started_at: datetime | None
    """The beginning of the last attempt."""
    finished_at: datetime | None
    seconds: float | None
    """How long the last attempt that ended took."""

    @property
    def ended(self) -> bool:
        return self.finished_at is not None


def enqueue(
    connection: sa.Connection,
    tenant: str,
    kind: Kind,
    *,
    idempotency_key: str,
    requester: str,
    correlation_id: str,
    payload: Mapping[str, Any] | None = None,
) -> Operation:
    """Ask for an operation, within the connection's transaction; one key asks once, however often it is sent.

    The tenant's row exists. Raises UsageError where the key was used for something else.
    """
    statement = (
        insert(OPERATIONS)
        .values(
            tenant=tenant,
            kind=kind,
            idempotency_key=idempotency_key,
            requester=requester,
            correlation_id=correlation_id,
            payload=dict(payload or {}),
        )
        .on_conflict_do_nothing(index_elements=["idempotency_key"])
        .returning(OPERATIONS)
    )
    row = connection.execute(statement).one_or_none()
    if row is not None:
        return operation(row)
    found = by_key(connection, idempotency_key)
    assert found is not None  # it was in the way of the insert, and rows are never deleted
    if (found.tenant, found.kind) != (tenant, kind):
        raise UsageError(
            f"it was used to {found.kind} tenant {found.tenant}",
            where=f"idempotency key {idempotency_key}",
            mend="choose another key",
        )
    return found


def by_key(connection: sa.Connection, idempotency_key: str) -> Operation | None:
    """What was asked for with that key, None where nothing was."""
    same_key = sa.select(OPERATIONS).where(OPERATIONS.c.idempotency_key == idempotency_key)
    row = connection.execute(same_key).one_or_none()
    return None if row is None else operation(row)


def operation(row: sa.Row[Any]) -> Operation:
    """A row of OPERATIONS as a record."""
    return Operation.model_validate(dict(row._mapping))
