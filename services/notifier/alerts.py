"""Alerts that arrived, each once, and how far each sink is with them: two tables of the control database.

An alert is one of a budget, a type, a threshold and a period; AWS Budgets looks at a budget several times a day, and
queues repeat. Its deliveries, one for each sink, are written in the same transaction, so what is acknowledged to the
queue is never lost.

A sink's worker takes a delivery by moving `not_before` past the time that sending may last. Killed in between, the
delivery is due again after that, and is sent again: sinks get each alert at least once.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict
from sqlalchemy.dialects.postgresql import insert

from fleet.registry import METADATA
from services.notifier.message import BudgetMessage

_MOMENT = sa.DateTime(timezone=True)
ALERTS = sa.Table(
    "budget_alerts",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("budget", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("threshold", sa.Text, nullable=False),
    sa.Column("period", sa.Text, nullable=False),
    sa.Column("budgeted", sa.Text, nullable=False),
    sa.Column("spent", sa.Text, nullable=False),
    sa.Column("correlation_id", sa.Text, nullable=False),
    sa.Column("repeats", sa.Integer, nullable=False, server_default="0"),
    sa.Column("received_at", _MOMENT, nullable=False, server_default=sa.func.now()),
)
DELIVERIES = sa.Table(
    "budget_alert_deliveries",
    METADATA,
    sa.Column("alert", sa.Uuid, sa.ForeignKey("budget_alerts.id"), primary_key=True),
    sa.Column("sink", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False, server_default="pending"),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("not_before", _MOMENT, nullable=False, server_default=sa.func.now()),
    sa.Column("last_error", sa.Text),
    sa.Column("attempted_at", _MOMENT),
    sa.Column("settled_at", _MOMENT),
)

NO_SINK = "the settings name no sink"
"""How the last error of a delivery begins whose sink was taken out of the settings: its name follows."""
_NAMESPACE = uuid.UUID("3f6f4f0e-8a1c-5f0b-9a53-1d3c0f6b7a42")
_ERROR_CHARACTERS = 500


class State(StrEnum):
    PENDING = "pending"
    SENT = "sent"
    DEAD = "dead"
    """Given up; `last_error` says why, and a copy lies in the dead-letter queue."""


class Alert(BaseModel):
    """An alert that arrived. Amounts are as AWS Budgets wrote them."""

    model_config = ConfigDict(frozen=True)

    id: uuid.UUID
    """Follows from what the alert is about: the same one has the same id, also in another database."""
    account: str
    budget: str
    type: str
    threshold: str
    """`> $232.00`."""
    period: str
    budgeted: str
    spent: str
    correlation_id: str
    """The id of the SNS message that brought it first."""
    repeats: int
    """How often it came again."""
    received_at: datetime

    @property
    def title(self) -> str:
        """One line for people."""
        verb = "was spent" if self.type == "ACTUAL" else "is forecast"
        return f"Budget {self.budget}: {self.spent} {verb} ({self.threshold} of {self.budgeted}, {self.period})"


class Delivery(BaseModel):
    """How far one sink is with one alert."""

    model_config = ConfigDict(frozen=True)

    alert: uuid.UUID
    sink: str
    state: State
    attempts: int
    """How many times sending was begun."""
    not_before: datetime
    last_error: str | None
    attempted_at: datetime | None
    settled_at: datetime | None


@dataclass(frozen=True)
class Taken:
    """A delivery that this process sends now; nobody else does until its time is up."""

    alert: Alert
    sink: str
    attempt: int


def alert_id(message: BudgetMessage) -> uuid.UUID:
    """Of the alert that the message is about."""
    return uuid.uuid5(_NAMESPACE, "\n".join(_identity(message).values()))


def record(
    connection: sa.Connection, message: BudgetMessage, *, correlation_id: str, sinks: Collection[str]
) -> tuple[Alert, bool]:
    """Keep an alert and what is to be sent of it, within the connection's transaction; whether it is a new one."""
    values = {
        **_identity(message),
        "id": alert_id(message),
        "budgeted": str(message.limit),
        "spent": str(message.spent),
        "correlation_id": correlation_id,
    }
    statement = insert(ALERTS).values(values).on_conflict_do_nothing().returning(ALERTS)
    row = connection.execute(statement).one_or_none()
    if row is None:
        again = (
            sa.update(ALERTS).where(ALERTS.c.id == values["id"]).values(repeats=ALERTS.c.repeats + 1).returning(ALERTS)
        )
        return _alert(connection.execute(again).one()), False
    if sinks:
        connection.execute(insert(DELIVERIES), [{"alert": values["id"], "sink": sink} for sink in sorted(sinks)])
    return _alert(row), True


def take(connection: sa.Connection, sink: str, lease: timedelta) -> Taken | None:
    """The delivery of `sink` that has been due longest, if one is; it is not due again before `lease` is over."""
    due = (
        sa.select(DELIVERIES.c.alert)
        .where(DELIVERIES.c.sink == sink, DELIVERIES.c.state == State.PENDING, DELIVERIES.c.not_before <= sa.func.now())
        .order_by(DELIVERIES.c.not_before)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    taken = connection.execute(
        sa.update(DELIVERIES)
        .where(DELIVERIES.c.alert == due, DELIVERIES.c.sink == sink)
        .values(attempts=DELIVERIES.c.attempts + 1, not_before=sa.func.now() + lease, attempted_at=sa.func.now())
        .returning(DELIVERIES)
    ).one_or_none()
    if taken is None:
        return None
    alert = connection.execute(sa.select(ALERTS).where(ALERTS.c.id == taken.alert)).one()
    return Taken(_alert(alert), sink, taken.attempts)


def left_over(connection: sa.Connection, sinks: Collection[str], after: timedelta) -> Taken | None:
    """A delivery to none of `sinks` that has been due for longer than `after`, if there is one; until the connection's
    transaction ends it is nobody else's."""
    found = connection.execute(
        sa.select(DELIVERIES)
        .where(
            DELIVERIES.c.sink.not_in(sinks),
            DELIVERIES.c.state == State.PENDING,
            DELIVERIES.c.not_before <= sa.func.now() - after,
        )
        .order_by(DELIVERIES.c.not_before)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).one_or_none()
    if found is None:
        return None
    alert = connection.execute(sa.select(ALERTS).where(ALERTS.c.id == found.alert)).one()
    return Taken(_alert(alert), found.sink, found.attempts)


def sent(connection: sa.Connection, taken: Taken) -> None:
    """The sink has it."""
    _settle(connection, taken, state=State.SENT, settled_at=sa.func.now(), last_error=None)


def postpone(connection: sa.Connection, taken: Taken, error: str, delay: timedelta) -> None:
    """It failed, and is to be tried again."""
    _settle(connection, taken, last_error=error[:_ERROR_CHARACTERS], not_before=sa.func.now() + delay)


def give_up(connection: sa.Connection, taken: Taken, error: str) -> None:
    """It failed for the last time."""
    _settle(connection, taken, state=State.DEAD, settled_at=sa.func.now(), last_error=error[:_ERROR_CHARACTERS])


def deliveries(connection: sa.Connection, alerts: Collection[uuid.UUID]) -> Sequence[Delivery]:
    """By sink's name."""
    statement = sa.select(DELIVERIES).where(DELIVERIES.c.alert.in_(alerts)).order_by(DELIVERIES.c.sink)
    return [Delivery.model_validate(dict(row._mapping)) for row in connection.execute(statement)]


def get(connection: sa.Connection, alerts: Collection[uuid.UUID]) -> Sequence[Alert]:
    """Those of them that have arrived, oldest first."""
    statement = sa.select(ALERTS).where(ALERTS.c.id.in_(alerts)).order_by(ALERTS.c.received_at, ALERTS.c.id)
    return [_alert(row) for row in connection.execute(statement)]


def latest(connection: sa.Connection, limit: int) -> Sequence[Alert]:
    """The alerts that arrived last, newest first."""
    statement = sa.select(ALERTS).order_by(ALERTS.c.received_at.desc(), ALERTS.c.id).limit(limit)
    return [_alert(row) for row in connection.execute(statement)]


def backlog(connection: sa.Connection) -> int:
    """How many deliveries are not settled."""
    counted = sa.select(sa.func.count()).select_from(DELIVERIES).where(DELIVERIES.c.state == State.PENDING)
    return int(connection.scalar(counted) or 0)


def last_received(connection: sa.Connection) -> datetime | None:
    """When the alert that arrived last did; None: none has."""
    moment: datetime | None = connection.scalar(sa.select(sa.func.max(ALERTS.c.received_at)))
    return moment


def usable(connection: sa.Connection) -> bool:
    """Whether the tables are there, and whoever is connected may write them: rights to both are given at once."""
    writable = sa.text("SELECT has_any_column_privilege(to_regclass(:table), 'INSERT')")
    return connection.scalar(writable, {"table": DELIVERIES.name}) is True


def _identity(message: BudgetMessage) -> dict[str, str]:
    return {
        "account": message.account,
        "budget": message.budget,
        "type": message.alert_type.value,
        "threshold": f"{message.comparison} {message.threshold}",
        "period": message.period,
    }


def _settle(connection: sa.Connection, taken: Taken, **values: Any) -> None:
    # Whoever took it after this one's time was up has a later attempt, and the word; what was sent is sent, though.
    mine = DELIVERIES.c.attempts == taken.attempt
    connection.execute(
        sa.update(DELIVERIES)
        .where(
            DELIVERIES.c.alert == taken.alert.id,
            DELIVERIES.c.sink == taken.sink,
            DELIVERIES.c.state == State.PENDING,
            sa.true() if values.get("state") is State.SENT else mine,
        )
        .values(**values)
    )


def _alert(row: sa.Row[Any]) -> Alert:
    return Alert.model_validate(dict(row._mapping))
