"""Taking operations off the queue: claimed under a lease, ended once, whoever dies in between.

At most one operation of a tenant runs at a time, in the order of asking. Operations that build (create, update,
suspend, resume) do the same, bring the tenant to what the registry wants by then: so one run of them ends all that were
asked before it began.
A deletion overtakes what is still waiting, and cancels it.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from errors import FreeholdError
from fleet import registry
from fleet.operations import OPERATIONS, Kind, Operation, State, operation
from fleet.registry import TENANTS

BUILDS = (Kind.CREATE, Kind.UPDATE, Kind.SUSPEND, Kind.RESUME)
TAKEOVERS = 20
"""An operation whose runners died this often is taken to be what kills them."""

SOON_SECONDS = 300.0
"""Nothing waits for longer, neither under a lease nor to be tried again, whatever the clock of the database says."""

_TRIES = 10
_OTHER = OPERATIONS.alias("other")

Record = Callable[[sa.Connection], object]
"""Writes what an operation's end means for its tenant, within the transaction that ends it."""


class LeaseLost(FreeholdError):
    """Another has taken the operation over, or it has ended: whoever held it may write no more of it."""

    def __init__(self, claim: Claim) -> None:
        super().__init__("its lease was lost", where=f"operation {claim.operation.id}")


@dataclass(frozen=True)
class Claim:
    """An operation that its holder alone may work on and end. `operation.attempt` tells it from any other claim."""

    operation: Operation
    asked: float
    """When it was asked for, by its holder's monotonic clock: its lease began no earlier."""
    covers: tuple[uuid.UUID, ...] = ()
    """Operations of the tenant that end with it: they were asked before it began, and want the same."""


class Queue:
    """Each call is a transaction of its own. Times are those of the database's clock."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def claim(self, cell: str, holder: str, lease_seconds: float) -> Claim | None:
        """The operation of the cell's tenants that is due and has waited longest, begun under a lease; None where there
        is none. A tenant waits from when its operation was due or, if that is later, from when it was served last."""
        for _ in range(_TRIES):
            asked = time.monotonic()
            with self._engine.begin() as connection:
                tenant = connection.scalar(_next_tenant(cell))
                if tenant is None:
                    _bound(connection)
                    return None
                # A statement of its own: it sees what was committed before the tenant's row was locked.
                row = connection.execute(_next_operation(tenant)).one_or_none()
                if row is None:
                    continue  # another was quicker
                found = operation(row)
                if found.state is State.RUNNING and found.takeovers + 1 >= TAKEOVERS:
                    _give_up(connection, found)
                    continue
                return _begin(connection, found, holder, lease_seconds, asked)
        return None

    def renew(self, claim: Claim, lease_seconds: float, progress: Mapping[str, Any] | None = None) -> None:
        """Hold it for `lease_seconds` from now. Raises LeaseLost."""
        values: dict[str, Any] = {"lease_until": _from_now(lease_seconds)}
        if progress is not None:
            values["progress"] = dict(progress)
        with self._engine.begin() as connection:
            if connection.execute(_held(claim).values(values)).rowcount == 0:
                raise LeaseLost(claim)

    def succeed(self, claim: Claim, result: Mapping[str, Any], record: Record) -> None:
        """It is done, and so is what it covers. Raises LeaseLost, and then nothing is written."""
        self._end(claim, State.SUCCEEDED, record, result=dict(result), error=None)

    def fail(self, claim: Claim, error: str, record: Record) -> None:
        """It is given up, and so is what it covers. Raises LeaseLost."""
        self._end(claim, State.FAILED, record, error=error)

    def cancel_claimed(self, claim: Claim, reason: str) -> None:
        """There is nothing to be done any more. Raises LeaseLost."""
        self._end(claim, State.CANCELLED, lambda connection: None, error=reason)

    def retry(self, claim: Claim, error: str, delay: float, record: Record) -> None:
        """It failed in a way that may pass: again in `delay` seconds, with what it covers. Raises LeaseLost."""
        later = _from_now(delay)
        with self._engine.begin() as connection:
            failures = OPERATIONS.c.failures + 1
            self._release(connection, claim, error=error, not_before=later, failures=failures, seconds=_elapsed())
            connection.execute(_covered(claim).values(not_before=later))
            record(connection)

    def hand_back(self, claim: Claim) -> None:
        """Its holder stops: whoever comes next may begin it at once. Raises LeaseLost."""
        with self._engine.begin() as connection:
            self._release(connection, claim)

    def cancel(self, identity: uuid.UUID, reason: str) -> bool:
        """End one that has not begun; False where it has, or has ended."""
        waiting = (OPERATIONS.c.id == identity) & (OPERATIONS.c.state == State.QUEUED)
        values = {"state": State.CANCELLED, "error": reason, "finished_at": sa.func.now()}
        with self._engine.begin() as connection:
            return connection.execute(sa.update(OPERATIONS).where(waiting).values(values)).rowcount == 1

    def _release(self, connection: sa.Connection, claim: Claim, **values: Any) -> None:
        free = {"state": State.QUEUED, "lease_holder": None, "lease_until": None, "progress": None}
        _lock_tenant(connection, claim)
        if connection.execute(_held(claim).values({**free, **values})).rowcount == 0:
            raise LeaseLost(claim)

    def _end(self, claim: Claim, state: State, record: Record, **values: Any) -> None:
        ended = {"state": state, "finished_at": sa.func.now(), **values}
        free = {"lease_holder": None, "lease_until": None, "progress": None, "seconds": _elapsed()}
        with self._engine.begin() as connection:
            _lock_tenant(connection, claim)
            if connection.execute(_held(claim).values({**ended, **free})).rowcount == 0:
                raise LeaseLost(claim)
            if values.get("result") is not None:
                ended["result"] = {**values["result"], "done_by": str(claim.operation.id)}
            connection.execute(_covered(claim).values(ended))
            record(connection)


def _next_tenant(cell: str) -> sa.Select[Any]:
    """Its row is locked by this: nobody else claims or ends an operation of the tenant meanwhile."""
    served = (
        sa.select(sa.func.max(_OTHER.c.finished_at)).where(_OTHER.c.tenant == OPERATIONS.c.tenant).scalar_subquery()
    )
    return (
        sa.select(TENANTS.c.id)
        .join(OPERATIONS, OPERATIONS.c.tenant == TENANTS.c.id)
        .where(TENANTS.c.cell == cell, _runnable())
        .order_by(sa.func.greatest(OPERATIONS.c.not_before, served), OPERATIONS.c.number)
        .limit(1)
        # Not the stronger lock: who asks for an operation refers to the row and need not wait for this.
        .with_for_update(of=TENANTS, skip_locked=True, key_share=True)
    )


def _bound(connection: sa.Connection) -> None:
    """Where the database's clock was set back, what was due soon is due as much later, and nobody renews the lease of
    the dead. A living holder's renewals go on as before."""
    soon = _from_now(SOON_SECONDS)
    leased = (OPERATIONS.c.state == State.RUNNING) & (OPERATIONS.c.lease_until > soon)
    waits = (OPERATIONS.c.state == State.QUEUED) & (OPERATIONS.c.not_before > soon)
    for far, values in ((leased, {"lease_until": soon}), (waits, {"not_before": soon})):
        found = sa.select(OPERATIONS.c.id).where(far).with_for_update(skip_locked=True)
        connection.execute(sa.update(OPERATIONS).where(OPERATIONS.c.id.in_(found)).values(values))


def _next_operation(tenant: str) -> sa.Select[Any]:
    return (
        sa.select(OPERATIONS).where(OPERATIONS.c.tenant == tenant, _runnable()).order_by(OPERATIONS.c.number).limit(1)
    )


def _runnable() -> sa.ColumnElement[bool]:
    """It is due and nothing goes before it, or its holder is taken for dead."""
    alike = OPERATIONS.c.kind.in_(BUILDS) & _OTHER.c.kind.in_(BUILDS)
    first = (_OTHER.c.number < OPERATIONS.c.number) & ~alike & (OPERATIONS.c.kind != Kind.DELETE)
    before = sa.exists().where(
        _OTHER.c.tenant == OPERATIONS.c.tenant,
        _OTHER.c.id != OPERATIONS.c.id,
        (_OTHER.c.state == State.RUNNING) | ((_OTHER.c.state == State.QUEUED) & first),
    )
    due = (OPERATIONS.c.state == State.QUEUED) & (OPERATIONS.c.not_before <= sa.func.now()) & ~before
    return due | ((OPERATIONS.c.state == State.RUNNING) & (OPERATIONS.c.lease_until < sa.func.now()))


def _begin(connection: sa.Connection, found: Operation, holder: str, lease_seconds: float, asked: float) -> Claim:
    statement = (
        sa.update(OPERATIONS)
        .where(OPERATIONS.c.id == found.id)
        .values(
            state=State.RUNNING,
            attempt=OPERATIONS.c.attempt + 1,
            takeovers=OPERATIONS.c.takeovers + int(found.state is State.RUNNING),
            lease_holder=holder,
            lease_until=_from_now(lease_seconds),
            started_at=sa.func.now(),
            progress=None,
        )
        .returning(OPERATIONS)
    )
    begun = operation(connection.execute(statement).one())
    waiting = (OPERATIONS.c.tenant == found.tenant) & (OPERATIONS.c.state == State.QUEUED)
    if found.kind is Kind.DELETE:
        reason = f"tenant {found.tenant}: it is being deleted by operation {found.id}"
        values = {"state": State.CANCELLED, "error": reason, "finished_at": sa.func.now()}
        connection.execute(sa.update(OPERATIONS).where(waiting, OPERATIONS.c.number < found.number).values(values))
    if found.kind not in BUILDS:
        return Claim(begun, asked)
    queued = connection.execute(sa.select(OPERATIONS).where(waiting).order_by(OPERATIONS.c.number))
    covers: list[uuid.UUID] = []
    for other in map(operation, queued):
        if other.kind not in BUILDS:
            break
        covers.append(other.id)
    return Claim(begun, asked, tuple(covers))


def _give_up(connection: sa.Connection, found: Operation) -> None:
    error = f"given up: whoever ran it ended in the middle of it, {TAKEOVERS} times"
    values = {"state": State.FAILED, "error": error, "finished_at": sa.func.now()}
    free = {"lease_holder": None, "lease_until": None, "progress": None}
    connection.execute(sa.update(OPERATIONS).where(OPERATIONS.c.id == found.id).values({**values, **free}))
    registry.failed(connection, found.tenant, error)


def _lock_tenant(connection: sa.Connection, claim: Claim) -> None:
    """Before the operation's row, as `claim` does it: two that want both cannot wait for each other."""
    tenant = sa.select(TENANTS.c.id).where(TENANTS.c.id == claim.operation.tenant)
    connection.execute(tenant.with_for_update(key_share=True))


def _held(claim: Claim) -> sa.Update:
    return sa.update(OPERATIONS).where(
        OPERATIONS.c.id == claim.operation.id,
        OPERATIONS.c.state == State.RUNNING,
        OPERATIONS.c.lease_holder == claim.operation.lease_holder,
        OPERATIONS.c.attempt == claim.operation.attempt,
    )


def _covered(claim: Claim) -> sa.Update:
    return sa.update(OPERATIONS).where(OPERATIONS.c.id.in_(claim.covers), OPERATIONS.c.state == State.QUEUED)


def _from_now(seconds: float) -> sa.ColumnElement[Any]:
    return sa.func.now() + sa.func.make_interval(0, 0, 0, 0, 0, 0, seconds)


def _elapsed() -> sa.ColumnElement[Any]:
    return sa.func.extract("epoch", sa.func.now() - OPERATIONS.c.started_at)
