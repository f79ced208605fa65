"""Asking for what is to be done to tenants: the row's change and the operation in one transaction."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

import sqlalchemy as sa

from catalog.plans import Tier
from errors import UsageError
from fleet import registry
from fleet.operations import OPERATIONS, Kind, Operation, State, by_key, enqueue, operation
from fleet.registry import TENANTS, Status, Suspension, Tenant, Wanted
from fleet.wishes import Request, Wishes


@dataclass(frozen=True)
class Asker:
    """Who asks. `key` tells one request from another, however often it is sent. Where it is left out, what is asked
    while the same is still open is the same request, and if that waits to be tried again, it waits no longer."""

    requester: str
    key: str | None = None
    correlation_id: str = field(default_factory=lambda: uuid.uuid4().hex)


class Requests:
    """Requests for the tenants of one cell. Each call is a transaction, and returns the operation that was asked for:
    an earlier one where it is the same request."""

    def __init__(self, engine: sa.Engine, wishes: Wishes) -> None:
        self._engine, self._wishes = engine, wishes

    def create(self, request: Request, asker: Asker) -> Operation:
        """A new tenant. One that is pending or failed on that plan is tried again. Raises UsageError for a bad value,
        and where the id or the subdomain is taken."""
        wanted = self._wishes.wanted(request)
        try:
            return self._create(wanted, asker)
        except _Raced:
            return self._create(wanted, asker)

    def _create(self, wanted: Wanted, asker: Asker) -> Operation:
        with self._engine.begin() as connection:
            if _asked_before(connection, asker):
                return _ask(connection, wanted.id, Kind.CREATE, asker)
            row = registry.lock(connection, wanted.id)
            if row is not None and row.status is Status.DELETING and row.cell == self._wishes.cell:
                raise registry.TenantExists("it is being deleted", where=f"tenant {row.id}", mend=self._wait(row.id))
            if row is None or row.status not in (Status.PENDING, Status.FAILED) or row.plan != wanted.plan:
                known = row is not None
                if row is None or row.status is Status.DELETED:
                    self._require_room(connection)
                try:
                    row = registry.add(connection, wanted)
                except registry.TenantExists as error:
                    if not known:
                        raise _Raced from None
                    mend = f"{self._command('show', wanted.id)}, or tenant plan to change its plan"
                    raise registry.TenantExists(error.what, where=error.where, mend=mend) from None
            self._require_here(row)
            return _ask(connection, wanted.id, Kind.CREATE, asker, row.desired_hash)

    def change_plan(self, tenant: str, plan: str, asker: Asker) -> Operation:
        """Another plan for an existing tenant."""
        with self._engine.begin() as connection:
            if _asked_before(connection, asker):
                return _ask(connection, tenant, Kind.UPDATE, asker)
            row = self._existing(connection, tenant)
            row = registry.want(connection, self._wishes.with_plan(row, plan))
            return _ask(connection, tenant, Kind.UPDATE, asker, row.desired_hash)

    def suspend(self, tenant: str, asker: Asker) -> Operation:
        """Nothing of it runs and nobody gets in, its data stays, until a person resumes it."""
        return self._suspended(tenant, Suspension.OPERATOR, Kind.SUSPEND, asker)

    def resume(self, tenant: str, asker: Asker) -> Operation:
        """The end of a suspension, whatever it was for: it has again what its plan gives by now."""
        return self._suspended(tenant, None, Kind.RESUME, asker)

    def _suspended(self, tenant: str, reason: Suspension | None, kind: Kind, asker: Asker) -> Operation:
        with self._engine.begin() as connection:
            if _asked_before(connection, asker):
                return _ask(connection, tenant, kind, asker)
            row = self._existing(connection, tenant)
            row = registry.want(connection, row.wanted(suspended_for=reason))
            return _ask(connection, tenant, kind, asker, row.desired_hash)

    def update(self, tenant: str, asker: Asker) -> Operation:
        """Bring it to what is wanted of it, by the program as it is now."""
        with self._engine.begin() as connection:
            if _asked_before(connection, asker):
                return _ask(connection, tenant, Kind.UPDATE, asker)
            row = self._existing(connection, tenant)
            return _ask(connection, tenant, Kind.UPDATE, asker, row.desired_hash)

    def delete(self, tenant: str, asker: Asker) -> Operation:
        """Its end, with all its data."""
        with self._engine.begin() as connection:
            if _asked_before(connection, asker):
                return _ask(connection, tenant, Kind.DELETE, asker)
            row = self._row(connection, tenant)
            if row.status is Status.DELETED:
                mend = f"nothing is left to do; {self._again(tenant)}"
                raise UsageError("it is deleted already", where=f"tenant {tenant}", mend=mend)
            registry.deleting(connection, tenant)
            return _ask(connection, tenant, Kind.DELETE, asker)

    def at_once(self, asked: Operation) -> Operation:
        """What was asked for, where it waits to be tried again due now: as if it were asked for once more."""
        with self._engine.begin() as connection:
            return _at_once(connection, asked)

    def _require_room(self, connection: sa.Connection) -> None:
        """Raises UsageError where the cell can hold no further tenant; the cloud would refuse it halfway."""
        # Two that take the last place at once follow each other.
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(f"room in {self._wishes.cell}"))))
        here = (TENANTS.c.cell == self._wishes.cell) & (TENANTS.c.tier == Tier.BRIDGE)
        present = sa.select(sa.func.count()).where(here, TENANTS.c.status != Status.DELETED)
        count = connection.scalar(present) or 0
        if count >= self._wishes.tenants_maximum:
            raise UsageError(
                f"it holds {count} tenants, as many as its cache takes users",
                where=f"cell {self._wishes.cell}",
                mend="choose another cell with --cell; docs/limits.md says how to make room",
            )

    def _existing(self, connection: sa.Connection, tenant: str) -> Tenant:
        row = self._row(connection, tenant)
        if row.status is Status.DELETING:
            raise UsageError("it is being deleted", where=f"tenant {tenant}", mend=self._wait(tenant))
        if row.status is Status.DELETED:
            raise UsageError("it is deleted", where=f"tenant {tenant}", mend=self._again(tenant))
        return row

    def _wait(self, tenant: str) -> str:
        """What to do about a tenant that is being deleted, which nothing takes back."""
        return f"that is not taken back: {self._command('show', tenant)} tells how far it is"

    def _again(self, tenant: str) -> str:
        return f"{self._command('create', tenant, '--plan PLAN')} makes a new one of that id, without its data"

    def _row(self, connection: sa.Connection, tenant: str) -> Tenant:
        row = registry.lock(connection, tenant)
        if row is None:
            raise UsageError("there is no such tenant", where=f"tenant {tenant}", mend=self._command("list"))
        self._require_here(row)
        return row

    def _command(self, *words: str) -> str:
        """`./freehold tenant ...` for this cell."""
        return f"./freehold tenant {' '.join(words)}{self._wishes.options}"

    def _require_here(self, row: Tenant) -> None:
        if row.cell != self._wishes.cell:
            raise UsageError(f"it lives in {row.cell}", where=f"tenant {row.id}", mend=f"--env {row.cell}")


class _Raced(Exception):
    """Another made the tenant in this moment: perhaps by the same request."""


def _asked_before(connection: sa.Connection, asker: Asker) -> bool:
    return asker.key is not None and by_key(connection, asker.key) is not None


def _ask(connection: sa.Connection, tenant: str, kind: Kind, asker: Asker, wish: str = "") -> Operation:
    asked = enqueue(
        connection,
        tenant,
        kind,
        idempotency_key=asker.key or _derived_key(connection, tenant, kind, wish),
        requester=asker.requester,
        correlation_id=asker.correlation_id,
    )
    # With a key it may be the same request, sent twice; without one it was asked again, by who has mended the cause.
    return asked if asker.key is not None else _at_once(connection, asked)


def _at_once(connection: sa.Connection, asked: Operation) -> Operation:
    """Where it waits to be tried again, alone or with another that failed, it is due now."""
    waits = (OPERATIONS.c.state == State.QUEUED) & (OPERATIONS.c.not_before > sa.func.now())
    hurried = sa.update(OPERATIONS).where(OPERATIONS.c.id == asked.id, waits).values(not_before=sa.func.now())
    row = connection.execute(hurried.returning(OPERATIONS)).one_or_none()
    return asked if row is None else operation(row)


def _derived_key(connection: sa.Connection, tenant: str, kind: Kind, wish: str) -> str:
    """The same until an operation of the tenant ends: pressed twice it asks once, and after a failure it asks anew."""
    ended = sa.select(sa.func.count()).where(OPERATIONS.c.tenant == tenant, OPERATIONS.c.finished_at.is_not(None))
    return ":".join((kind, tenant, wish[:16], str(connection.scalar(ended))))
