"""What stands in the queue, for people and for metrics."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from fleet.operations import OPERATIONS, Operation, State, by_key, operation
from fleet.registry import TENANTS

OVERDUE_SECONDS = 1800.0
"""A tenant's stack is run in minutes, with some tries of it and those before it in the queue."""

_OTHER = OPERATIONS.alias("other")


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
        order = sa.case((OPERATIONS.c.state == State.RUNNING, 0), (OPERATIONS.c.state == State.QUEUED, 1), else_=2)
        ended_last = (OPERATIONS.c.finished_at.desc(), OPERATIONS.c.number.desc())
        return self._one(
            sa.select(OPERATIONS).where(OPERATIONS.c.tenant == tenant).order_by(order, *ended_last).limit(1)
        )

    def last_success(self, tenant: str) -> Operation | None:
        """The tenant's operation that ended well last."""
        done = (OPERATIONS.c.tenant == tenant) & (OPERATIONS.c.state == State.SUCCEEDED)
        order = (OPERATIONS.c.finished_at.desc(), OPERATIONS.c.number.desc())
        return self._one(sa.select(OPERATIONS).where(done).order_by(*order).limit(1))

    def open(self, cell: str) -> Sequence[Operation]:
        """Those that run or wait, in the order of asking."""
        return self._all(cell, OPERATIONS.c.finished_at.is_(None))

    def failing(self, cell: str) -> Sequence[Operation]:
        """Those that will be tried again, and each tenant's last one where it was given up."""
        later = sa.exists().where(_OTHER.c.tenant == OPERATIONS.c.tenant, _OTHER.c.number > OPERATIONS.c.number)
        given_up = (OPERATIONS.c.state == State.FAILED) & ~later
        return self._all(cell, given_up | (OPERATIONS.c.finished_at.is_(None) & (OPERATIONS.c.failures > 0)))

    def backlog(self, cell: str) -> Backlog:
        with self._engine.connect() as connection:
            now = connection.scalar(sa.select(sa.func.now()))
        assert now is not None
        waiting, failing = self.open(cell), self.failing(cell)
        queued = [one for one in waiting if one.state is State.QUEUED]
        due = [(now - one.not_before).total_seconds() for one in queued]

        def oldest(state: State) -> float:
            ages: list[float] = [(now - one.created_at).total_seconds() for one in waiting if one.state is state]
            # What was asked for since the clock was read is of no age.
            return max([0.0, *ages])

        return Backlog(
            queued=len(queued),
            running=len(waiting) - len(queued),
            retrying=sum(one.failures > 0 for one in queued),
            failed=sum(one.state is State.FAILED for one in failing),
            oldest_seconds=max(0.0, *due) if due else 0.0,
            oldest_queued_seconds=oldest(State.QUEUED),
            oldest_running_seconds=oldest(State.RUNNING),
        )

    def _all(self, cell: str, which: sa.ColumnElement[bool]) -> Sequence[Operation]:
        statement = (
            sa.select(OPERATIONS)
            .join(TENANTS, TENANTS.c.id == OPERATIONS.c.tenant)
            .where(TENANTS.c.cell == cell, which)
            .order_by(OPERATIONS.c.number)
        )
        with self._engine.connect() as connection:
            return [operation(row) for row in connection.execute(statement)]

    def _one(self, statement: sa.Select[Any]) -> Operation | None:
        with self._engine.connect() as connection:
            row = connection.execute(statement).one_or_none()
        return None if row is None else operation(row)
