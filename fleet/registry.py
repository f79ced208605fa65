"""The tenant registry: one row for each tenant, in the control database."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, computed_field
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert

from catalog.plans import Tier
from errors import FreeholdError, UsageError

METADATA = sa.MetaData()

_MOMENT = sa.DateTime(timezone=True)
_TEXTS = ARRAY(sa.Text)
TENANTS = sa.Table(
    "tenants",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("product", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("subdomain", sa.Text, nullable=False),
    sa.Column("admin_email", sa.Text),
    sa.Column("plan", sa.Text, nullable=False),
    sa.Column("tier", sa.Text, nullable=False),
    sa.Column("cell", sa.Text, nullable=False),
    sa.Column("region", sa.Text, nullable=False),
    sa.Column("limits", JSONB, nullable=False),
    sa.Column("suspended_for", sa.Text),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("desired_hash", sa.Text, nullable=False),
    sa.Column("applied_hash", sa.Text),
    sa.Column("program_version", sa.Text),
    sa.Column("last_error", sa.Text),
    sa.Column("created_at", _MOMENT, nullable=False, server_default=sa.func.now()),
    sa.Column("updated_at", _MOMENT, nullable=False, server_default=sa.func.now()),
    sa.Column("applied_at", _MOMENT),
    sa.Column("deleted_at", _MOMENT),
    sa.Column("predecessor_deleted_at", _MOMENT),
)


class TenantExists(UsageError):
    """The id is taken."""


class Status(StrEnum):
    """Where a tenant is in its life."""

    PENDING = "pending"
    """Asked for, and not built yet (or not yet again, after a deletion)."""
    ACTIVE = "active"
    SUSPENDED = "suspended"
    DELETING = "deleting"
    DELETED = "deleted"
    """The row stays as a record; the id may be taken again."""
    FAILED = "failed"
    """The last attempt to build it failed; `last_error` says why, and it can be tried again."""


class Suspension(StrEnum):
    """Why a tenant is to be suspended: who may end it follows from that."""

    OPERATOR = "operator"
    """A person said so, and only a person ends it."""
    PAYMENT = "payment"
    """Nothing that it has is paid for; a payment ends it, and so may a person."""


class Wanted(BaseModel):
    """What a tenant shall be."""

    model_config = ConfigDict(frozen=True)

    id: str
    product: str
    name: str
    subdomain: str
    admin_email: str | None
    plan: str
    tier: Tier
    cell: str
    region: str
    limits: Mapping[str, Any]
    """The plan's quota, as it was when the tenant got the plan."""
    suspended_for: Suspension | None = None
    """Its data is kept, nothing of it runs and nobody gets in; None: it works."""

    @property
    def suspended(self) -> bool:
        return self.suspended_for is not None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def desired_hash(self) -> str:
        """Tells this wish from any other; whoever changes a row can compute it without the cell's configuration."""
        wish = self.model_dump(mode="json", include=set(Wanted.model_fields) - {"suspended_for"})
        # Whatever for: the same is built. A wish without it has the hash that it had before there were suspensions.
        if self.suspended:
            wish["suspended"] = True
        return hashlib.sha256(json.dumps(wish, sort_keys=True).encode()).hexdigest()


class Tenant(Wanted):
    """A row of the registry. Times are in UTC."""

    status: Status
    applied_hash: str | None
    program_version: str | None
    last_error: str | None
    created_at: datetime
    updated_at: datetime
    applied_at: datetime | None
    deleted_at: datetime | None
    predecessor_deleted_at: datetime | None = None
    """When the tenant was deleted that had the id before; None: nobody had it."""

    def wanted(self, **changes: Any) -> Wanted:
        """What it shall be, but for `changes`."""
        return Wanted.model_validate(self.model_dump(include=set(Wanted.model_fields)) | changes)

    @property
    def settled(self) -> bool:
        """Whether what is wanted is what was built."""
        as_built = Status.SUSPENDED if self.suspended else Status.ACTIVE
        return self.status is as_built and self.desired_hash == self.applied_hash

    def due(self, program_version: str) -> bool:
        """Whether its stack is to be run: it is not as it is wanted, or another program built it."""
        if self.tier is not Tier.BRIDGE or self.status in (Status.DELETING, Status.DELETED):
            return False
        return not self.settled or self.program_version != program_version


class Registry:
    """Each call is a transaction of its own; the functions below do the same within one that the caller has begun."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(self, wanted: Wanted) -> Tenant:
        with self._engine.begin() as connection:
            return add(connection, wanted)

    def want(self, wanted: Wanted) -> Tenant:
        with self._engine.begin() as connection:
            return want(connection, wanted)

    def get(self, tenant: str) -> Tenant | None:
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(TENANTS).where(TENANTS.c.id == tenant)).one_or_none()
        return None if row is None else _tenant(row)

    def list(self, *, cell: str | None = None, deleted: bool = False) -> Sequence[Tenant]:
        """By id; those that were deleted only where asked for."""
        statement = sa.select(TENANTS).order_by(TENANTS.c.id)
        if cell is not None:
            statement = statement.where(TENANTS.c.cell == cell)
        if not deleted:
            statement = statement.where(TENANTS.c.status != Status.DELETED)
        with self._engine.connect() as connection:
            return [_tenant(row) for row in connection.execute(statement)]

    def applied(self, tenant: str, applied_hash: str, program_version: str, *, suspended: bool = False) -> Tenant:
        with self._engine.begin() as connection:
            return applied(connection, tenant, applied_hash, program_version, suspended=suspended)

    def failed(self, tenant: str, error: str) -> Tenant:
        with self._engine.begin() as connection:
            return failed(connection, tenant, error)

    def deleting(self, tenant: str, error: str | None = None) -> Tenant:
        with self._engine.begin() as connection:
            return deleting(connection, tenant, error)

    def deleted(self, tenant: str) -> Tenant:
        with self._engine.begin() as connection:
            return deleted(connection, tenant)


def lock(connection: sa.Connection, tenant: str) -> Tenant | None:
    """The tenant's row, held against other writers until the transaction ends; None where there is none."""
    row = connection.execute(sa.select(TENANTS).where(TENANTS.c.id == tenant).with_for_update()).one_or_none()
    return None if row is None else _tenant(row)


def add(connection: sa.Connection, wanted: Wanted) -> Tenant:
    """A new tenant, pending; takes over the row of a deleted one. Raises TenantExists where the id is taken, UsageError
    where the subdomain is; the transaction is lost with it."""
    values = {**_values(wanted), "status": Status.PENDING}
    anew = {
        **values,
        **dict.fromkeys(("applied_hash", "program_version", "last_error", "applied_at", "deleted_at")),
    }
    statement = (
        insert(TENANTS)
        .values(values)
        .on_conflict_do_update(
            index_elements=["id"],
            set_={
                **anew,
                "created_at": sa.func.now(),
                "updated_at": sa.func.now(),
                "predecessor_deleted_at": TENANTS.c.deleted_at,
            },
            where=TENANTS.c.status == Status.DELETED,
        )
        .returning(TENANTS)
    )
    try:
        row = connection.execute(statement).one_or_none()
    except sa.exc.IntegrityError as error:
        if "tenants_subdomain" not in str(error.orig):
            raise
        taken = f"the subdomain {wanted.subdomain} is another tenant's"
        raise UsageError(taken, where=f"tenant {wanted.id}", mend="choose one by --subdomain") from None
    if row is None:
        raise TenantExists("it exists already", where=f"tenant {wanted.id}")
    return _tenant(row)


def want(connection: sa.Connection, wanted: Wanted) -> Tenant:
    """Change what an existing tenant shall be; it is not settled until it is built so."""
    return _set(connection, wanted.id, **_values(wanted))


def change(connection: sa.Connection, tenant: Tenant, wanted: Wanted) -> Tenant:
    """`want` for the tenant whose row the transaction holds: writes only what differs, for a role that may not write
    the rest."""
    had, now = _values(tenant), _values(wanted)
    differing = {name: value for name, value in now.items() if value != had[name]}
    return _set(connection, tenant.id, **{**differing, "desired_hash": wanted.desired_hash})


def applied(
    connection: sa.Connection, tenant: str, applied_hash: str, program_version: str, *, suspended: bool = False
) -> Tenant:
    """Its stack was built with that configuration by that program. One that is being deleted stays so."""
    return _set(
        connection,
        tenant,
        status=_unless_going(Status.SUSPENDED if suspended else Status.ACTIVE),
        applied_hash=applied_hash,
        program_version=program_version,
        applied_at=sa.func.now(),
        last_error=None,
    )


def failed(connection: sa.Connection, tenant: str, error: str) -> Tenant:
    """Building it failed; it can be tried again. One that is being deleted stays so."""
    return _set(connection, tenant, status=_unless_going(Status.FAILED), last_error=error)


def troubled(connection: sa.Connection, tenant: str, error: str) -> Tenant:
    """An attempt failed, and there will be another: its status stays."""
    return _set(connection, tenant, last_error=error)


def deleting(connection: sa.Connection, tenant: str, error: str | None = None) -> Tenant:
    """Its deletion has begun; `error` is why it has not come to its end."""
    return _set(connection, tenant, status=Status.DELETING, last_error=error)


def deleted(connection: sa.Connection, tenant: str) -> Tenant:
    """It is gone, with its data; the row stays."""
    return _set(connection, tenant, status=Status.DELETED, deleted_at=sa.func.now(), applied_hash=None, last_error=None)


def _unless_going(status: Status) -> sa.ColumnElement[str]:
    going = TENANTS.c.status.in_([Status.DELETING, Status.DELETED])
    return sa.case((going, TENANTS.c.status), else_=status)


def _set(connection: sa.Connection, tenant: str, **values: object) -> Tenant:
    statement = (
        sa.update(TENANTS).where(TENANTS.c.id == tenant).values(**values, updated_at=sa.func.now()).returning(TENANTS)
    )
    row = connection.execute(statement).one_or_none()
    if row is None:
        mend = "see what `tenant list --deleted` of its cell says"
        raise FreeholdError("it has gone from the registry", where=f"tenant {tenant}", mend=mend)
    return _tenant(row)


def lock_all(connection: sa.Connection, tenants: Sequence[str]) -> Mapping[str, Tenant]:
    """The rows of those that there are, held like `lock` does. Taken in order of their ids, so that two transactions
    never wait for each other in a circle."""
    statement = sa.select(TENANTS).where(TENANTS.c.id == sa.any_(sa.bindparam("ids", type_=_TEXTS)))
    rows = connection.execute(statement.order_by(TENANTS.c.id).with_for_update(), {"ids": list(tenants)})
    return {row.id: _tenant(row) for row in rows}


def _values(wanted: Wanted) -> dict[str, Any]:
    values = wanted.model_dump(include=set(Wanted.model_fields))
    return {**values, "limits": dict(wanted.limits), "desired_hash": wanted.desired_hash}


def _tenant(row: sa.Row[Any]) -> Tenant:
    return Tenant.model_validate(dict(row._mapping))
