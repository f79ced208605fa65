"""What a cell is at: operations that wait or fail, the last event of Stripe, the last alert of a budget."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa

from cli.live import Line
from cli.output import moment, spell
from fleet.counting import counted
from fleet.environments import Environment
from fleet.operations import Operation
from fleet.queue_view import QueueView
from fleet.targets import Target
from services.notifier import alerts

_INBOX = "-c 'select id, state, tenant, reason from billing_inbox'"

_LAST_EVENT = sa.text(
    "SELECT id, type, state, tenant, received_at FROM billing_inbox ORDER BY received_at DESC, id LIMIT 1"
)
_NAMED = 3
_LATE, _RECENT = timedelta(hours=1), timedelta(days=7)
_SENT_ELSEWHERE = alerts.DELIVERIES.alias("elsewhere")
# A sink that was taken out of the settings is missed by nobody, if another took the alert.
_MISSED = (alerts.DELIVERIES.c.state == alerts.State.DEAD) & ~(
    sa.func.coalesce(alerts.DELIVERIES.c.last_error, "").startswith(alerts.NO_SINK)
    & sa.exists().where(
        _SENT_ELSEWHERE.c.alert == alerts.DELIVERIES.c.alert, _SENT_ELSEWHERE.c.state == alerts.State.SENT
    )
)
# Given up; or waiting for longer than a notifier that works tries it. Of old ones nobody needs to be told any more.
_UNDELIVERED = (
    sa.select(alerts.ALERTS.c.id)
    .where(alerts.ALERTS.c.received_at > sa.func.now() - _RECENT)
    .where(
        sa.exists().where(
            alerts.DELIVERIES.c.alert == alerts.ALERTS.c.id,
            _MISSED
            | (
                (alerts.DELIVERIES.c.state == alerts.State.PENDING)
                & (alerts.ALERTS.c.received_at < sa.func.now() - _LATE)
            ),
        )
    )
)
_UNFINISHED_EVENTS = sa.text("SELECT count(*) FROM billing_inbox WHERE state = 'received'")


def look(database: sa.Engine, environment: Environment) -> Sequence[Line]:
    """From the control database; a line that is not ok wants somebody to look."""
    return [
        *_operations(QueueView(database), environment),
        *_event(database, environment.target),
        *_alerts(database, environment.options),
    ]


def outside(environment: Environment) -> Line:
    """In place of all that, where the control database is not opened."""
    told = (
        "not opened, nor was the cluster: freehold:insideNetwork is false. Set it to true and run this again from "
        "inside the network, which admits tenants (docs/deploy.md, from outside to inside)"
    )
    return Line("control database", told, environment.command("up"))


def psql(target: str) -> str:
    """The client of the control database. In the cloud it finds server and login in its own variables
    (docs/recover.md, into a database of a cell): a password in an argument is seen by all of the machine."""
    return 'psql "$DATABASE_URL"' if target == Target.SANDBOX else "psql"


def inbox(target: str) -> str:
    """The ordinary command that shows the events of Stripe."""
    return f"{psql(target)} {_INBOX}"


def _operations(view: QueueView, environment: Environment) -> Sequence[Line]:
    backlog = view.backlog(environment.cell)
    told = ", ".join(
        (
            f"{backlog.queued} waiting{_since(backlog.oldest_queued_seconds)}",
            f"{backlog.running} running{_since(backlog.oldest_running_seconds)}",
            f"{backlog.failed} given up",
        )
    )
    line = Line("operations", told, f"./freehold fleet status{environment.options}", ok=not backlog.overdue)
    return [line, *(_failing(one, environment.options) for one in view.failing(environment.cell))]


def _since(seconds: float) -> str:
    return f" (the oldest asked for {spell(seconds)} ago)" if seconds else ""


def _failing(one: Operation, options: str) -> Line:
    outlook = "given up" if one.ended else "will be tried again"
    told = f"{outlook} after {counted(one.failures or one.attempt, 'attempt')}: {one.error}"
    return Line(f"{one.kind} of {one.tenant}", told, f"./freehold tenant show {one.tenant}{options}", ok=not one.ended)


def _event(database: sa.Engine, target: Target) -> Sequence[Line]:
    with database.connect() as connection:
        last = connection.execute(_LAST_EVENT).one_or_none()
        unfinished = connection.scalar(_UNFINISHED_EVENTS) or 0
    if last is None:
        return []
    told = f"{last.type} at {moment(last.received_at)}: {last.state}{f' to {last.tenant}' if last.tenant else ''}"
    if unfinished:
        told += f"; {counted(unfinished, 'event')} {'is' if unfinished == 1 else 'are'} kept whose effect failed"
    return [Line("last Stripe event", told, inbox(target), ok=not unfinished)]


def _alerts(database: sa.Engine, options: str) -> Sequence[Line]:
    """The last one; and beside it those before it that did not reach every sink, which it would hide."""
    with database.connect() as connection:
        found = alerts.latest(connection, 1)
        sinks = alerts.deliveries(connection, [one.id for one in found])
        undelivered = alerts.get(connection, connection.execute(_UNDELIVERED).scalars().all())
    if not found:
        return []
    (last,), shown = found, f"./freehold budget show{options}"
    told = ", ".join(f"{one.sink} {one.state}" for one in sinks) or "no sink"
    dead = any(
        one.state == alerts.State.DEAD and not (one.last_error or "").startswith(alerts.NO_SINK) for one in sinks
    )
    line = Line(
        "last budget alert",
        f"{last.budget}, spend {last.threshold}, {last.period}, at {moment(last.received_at)}: {told}",
        shown,
        ok=not dead and last not in undelivered,
    )
    earlier = [one for one in reversed(undelivered) if one != last]
    if not earlier:
        return [line]
    names = [f"{one.budget}, spend {one.threshold}, {one.period}" for one in earlier[:_NAMED]]
    more = f"; and {len(earlier) - _NAMED} more" if len(earlier) > _NAMED else ""
    return [line, Line("budget alerts that not every sink took", "; ".join(names) + more, shown, ok=False)]
