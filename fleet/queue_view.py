"""What stands in the queue, for people and for metrics."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from fleet.operations import OPERATIONS, Kind, Operation, State, by_key, operation
from fleet.registry import TENANTS

OVERDUE_SECONDS = 1800.0
"""A tenant's stack is run in minutes, with some tries of it and those before it in the queue."""

_OTHER = OPERATIONS.alias("other")
# In the statement itself, as the partial indexes `operations_open` and `operations_given_up` say it: a prepared one
# could not use them otherwise, and all operations that ever were are many more.
_OPEN = sa.literal_column("operations.state IN ('queued', 'running')", sa.Boolean)
_GIVEN_UP = (
    sa.literal_column("operations.state = 'failed'", sa.Boolean),
    # Not as NOT EXISTS: that is planned as a join with all operations.
    OPERATIONS.c.number
    == sa.select(sa.func.max(_OTHER.c.number)).where(_OTHER.c.tenant == OPERATIONS.c.tenant).scalar_subquery(),
)


@dataclass(frozen=True)
class Backlog:
    """How much there is to do in a cell."""

    queued: int
    running: int
    retrying: int
    """Of those queued: they failed, and will be tried again."""
    failed: int
    """Tenants whose last operation was given up."""
    oldest_seconds: float
    """How long the one that is due and waits longest has waited; 0 where none waits."""
    oldest_queued_seconds: float
    """Since the oldest of those queued was asked for, however often it was tried; 0 where there is none."""
    oldest_running_seconds: float
    """The same of those that run."""

    @property
    def overdue(self) -> bool:
        """Whether one is open for so long that somebody should look."""
        return max(self.oldest_queued_seconds, self.oldest_running_seconds) > OVERDUE_SECONDS


class QueueView:
    """Reads only; each call is a transaction of its own."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def get(self, identity: uuid.UUID) -> Operation | None:
        return self._one(sa.select(OPERATIONS).where(OPERATIONS.c.id == identity))

    def all(self, identities: Sequence[uuid.UUID]) -> Sequence[Operation]:
        """In the order of asking."""
        statement = sa.select(OPERATIONS).where(OPERATIONS.c.id.in_(identities)).order_by(OPERATIONS.c.number)
        with self._engine.connect() as connection:
            return [operation(row) for row in connection.execute(statement)]

    def by_key(self, idempotency_key: str) -> Operation | None:
        with self._engine.connect() as connection:
            return by_key(connection, idempotency_key)

    def latest(self, tenant: str) -> Operation | None:
        """The tenant's operation that runs, else the next one, else the one that ended last."""
        state, number = OPERATIONS.c.state, OPERATIONS.c.number
        # A deletion overtakes what waits. Of the others it is the first that waits, though one that was asked while it
        # waits to be tried again may be begun before: that one has no error to tell, and ends this one as well.
        deletion = (state == State.QUEUED) & (OPERATIONS.c.kind == Kind.DELETE)
        order = sa.case((state == State.RUNNING, 0), (deletion, 1), (state == State.QUEUED, 2), else_=3)
        asked_first = sa.case((state == State.QUEUED, number))
        ended_last = (OPERATIONS.c.finished_at.desc(), number.desc())
        return self._one(
            sa.select(OPERATIONS)
            .where(OPERATIONS.c.tenant == tenant)
            .order_by(order, asked_first, *ended_last)
            .limit(1)
        )

    def last_success(self, tenant: str) -> Operation | None:
        """The tenant's operation that ended well last."""
        done = (OPERATIONS.c.tenant == tenant) & (OPERATIONS.c.state == State.SUCCEEDED)
        order = (OPERATIONS.c.finished_at.desc(), OPERATIONS.c.number.desc())
        return self._one(sa.select(OPERATIONS).where(done).order_by(*order).limit(1))

    def open(self, cell: str) -> Sequence[Operation]:
        """Those that run or wait, in the order of asking."""
        return self._all(_of(cell, _OPEN))

    def failing(self, cell: str) -> Sequence[Operation]:
        """Those that will be tried again, and each tenant's last one where it was given up."""
        return self._all(_of(cell, _OPEN, OPERATIONS.c.failures > 0).union_all(_of(cell, *_GIVEN_UP)))

    def backlog(self, cell: str) -> Backlog:
        """Counted by the database: it is asked for every few seconds, by each replica."""
        count, queued = sa.func.count(), OPERATIONS.c.state == State.QUEUED
        waiting = _of(cell, _OPEN).with_only_columns(
            count.filter(queued).label("queued"),
            count.filter(~queued).label("running"),
            count.filter(queued, OPERATIONS.c.failures > 0).label("retrying"),
            _age(sa.func.min(OPERATIONS.c.not_before).filter(queued)).label("oldest_seconds"),
            _age(sa.func.min(OPERATIONS.c.created_at).filter(queued)).label("oldest_queued_seconds"),
            _age(sa.func.min(OPERATIONS.c.created_at).filter(~queued)).label("oldest_running_seconds"),
        )
        given_up = _of(cell, *_GIVEN_UP).with_only_columns(count)
        with self._engine.connect() as connection:
            found = connection.execute(waiting).one()
            failed = connection.execute(given_up).scalar_one()
        return Backlog(**found._mapping, failed=failed)

    def _all(self, statement: sa.Select[Any] | sa.CompoundSelect[Any]) -> Sequence[Operation]:
        with self._engine.connect() as connection:
            return [operation(row) for row in connection.execute(statement.order_by("number"))]

    def _one(self, statement: sa.Select[Any]) -> Operation | None:
        with self._engine.connect() as connection:
            row = connection.execute(statement).one_or_none()
        return None if row is None else operation(row)


def _of(cell: str, *which: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Operations of the cell's tenants."""
    return (
        sa.select(OPERATIONS).join(TENANTS, TENANTS.c.id == OPERATIONS.c.tenant).where(TENANTS.c.cell == cell, *which)
    )


def _age(moment: sa.ColumnElement[Any]) -> sa.ColumnElement[float]:
    """In seconds; 0 where there is none, and where it is still to come."""
    seconds = sa.cast(sa.func.extract("epoch", sa.func.now() - moment), sa.Double)
    return sa.func.greatest(0.0, seconds)
