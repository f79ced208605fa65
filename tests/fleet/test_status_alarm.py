"""`freehold status` from a schedule is the alarm, by its exit code: what was given up, or is open too long."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from prometheus_client import CollectorRegistry

import cli.activity
import cli.opening
import cli.summary
import fleet.control_database
from cli.app import main
from cli.live import Live
from fleet import registry
from fleet.environments import Environment
from fleet.operations import OPERATIONS, Kind
from fleet.queue import Queue
from fleet.state import StackState
from fleet.targets import Target
from sandbox.home import Home
from services.notifier.alerts import ALERTS, DELIVERIES
from services.notifier.leftovers import AFTER, Leftovers
from services.notifier.metrics import Metrics
from services.notifier.queues import Queues
from tests.fleet.samples import CELL, add_tenants, ask

pytestmark = pytest.mark.sandbox

Status = Callable[[], tuple[int, Sequence[str]]]


@pytest.fixture
def status(
    database: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Status:
    """Runs the command on a platform that is as it should be; returns its exit code and the lines that it marks."""
    environment = Environment(CELL, Target.SANDBOX, Home(tmp_path / "home"), {})
    contract = SimpleNamespace(account="1", region="us-east-1")
    monkeypatch.setattr(cli.opening, "open_environment", lambda *arguments, start: environment)
    monkeypatch.setattr(cli.opening, "platform_state", lambda environment: StackState())
    monkeypatch.setattr(Environment, "contract", lambda environment, state: contract)
    monkeypatch.setattr(cli.summary, "look", lambda contract, engine, *, inside: Live())
    monkeypatch.setattr(fleet.control_database, "control_database_to_read", lambda contract, engine: database)
    monkeypatch.setattr(sys, "argv", ["freehold", "status"])

    def run() -> tuple[int, Sequence[str]]:
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code or 0
        assert isinstance(code, int)
        return code, [line for line in capsys.readouterr().out.splitlines() if line.startswith("!")]

    return run


def test_what_waits_since_a_moment_is_no_alarm(database: sa.Engine, status: Status) -> None:
    add_tenants(database, "acme")
    ask(database, "acme")
    assert status() == (0, [])


def test_what_is_open_for_more_than_half_an_hour_is_one(database: sa.Engine, status: Status) -> None:
    add_tenants(database, "acme")
    ask(database, "acme")
    asked = OPERATIONS.c.created_at - sa.func.make_interval(0, 0, 0, 0, 0, 31)
    with database.begin() as connection:
        connection.execute(sa.update(OPERATIONS).values(created_at=asked))
    code, marked = status()
    assert code == 1
    (line,) = marked
    assert line.startswith("! operations: 1 waiting (the oldest asked for ")


def test_what_was_given_up_is_one(database: sa.Engine, status: Status) -> None:
    add_tenants(database, "acme")
    ask(database, "acme", Kind.SUSPEND)
    queue = Queue(database)
    claim = queue.claim(CELL, "one", 60)
    assert claim is not None
    queue.fail(claim, "no such zone", lambda connection: registry.failed(connection, "acme", "no such zone"))
    assert status() == (1, ["! suspend of acme: given up after 1 attempt: no such zone"])


def test_an_event_that_is_kept_and_whose_effect_failed_is_one(database: sa.Engine, status: Status) -> None:
    event = sa.text(
        "INSERT INTO billing_inbox (id, type, livemode, created, received_at, payload, state, tenant, correlation_id)"
        " VALUES (:id, 'invoice.paid', true, now(), now() - make_interval(hours => :age), '', :state, 'acme', 'c')"
    )
    with database.begin() as connection:
        connection.execute(event, {"id": "evt_2", "age": 0, "state": "applied"})
    assert status() == (0, [])
    with database.begin() as connection:
        connection.execute(event, {"id": "evt_1", "age": 1, "state": "received"})
    code, marked = status()
    assert code == 1
    (line,) = marked
    assert line.startswith("! last Stripe event: invoice.paid at ")
    assert line.endswith(": applied to acme; 1 event is kept whose effect failed")


def alert(database: sa.Engine, budget: str, sinks: Mapping[str, str], *, hours: float = 0.0) -> None:
    """One that came so long ago, and how far its sinks are with it."""
    words = dict.fromkeys(("account", "threshold", "period", "budgeted", "spent", "correlation_id"), "x")
    identity, now = uuid.uuid4(), datetime.now(UTC)
    row = {"id": identity, "type": "ACTUAL", "budget": budget, "received_at": now - timedelta(hours=hours), **words}
    with database.begin() as connection:
        connection.execute(sa.insert(ALERTS).values(row))
        for sink, state in sinks.items():
            settled = None if state == "pending" else now
            made = sa.insert(DELIVERIES).values(alert=identity, sink=sink, state=state, settled_at=settled)
            connection.execute(made)


@pytest.mark.parametrize(
    ("state", "hours", "code"), [("sent", 0, 0), ("pending", 0.9, 0), ("pending", 1.1, 1), ("dead", 0, 1)]
)
def test_an_alert_of_a_budget_that_a_sink_never_took_is_one(
    state: str, hours: float, code: int, database: sa.Engine, status: Status
) -> None:
    alert(database, "x", {"mail": "sent", "slack": state}, hours=hours)
    ended, marked = status()
    assert ended == code
    assert [line.startswith("! last budget alert: x, spend x, x, at ") for line in marked] == [True] * code
    assert all(line.endswith(f": mail sent, slack {state}") for line in marked)


@pytest.mark.parametrize("state", ["dead", "pending"])
def test_a_later_alert_that_was_delivered_hides_none_that_was_not(
    state: str, database: sa.Engine, status: Status
) -> None:
    for day in range(1, 6):
        alert(database, f"of-{day}", {"mail": "sent", "slack": state}, hours=24 * day)
    alert(database, "of-long-ago", {"slack": state}, hours=24 * 8)
    alert(database, "of-today", {"mail": "sent", "slack": "sent"})
    named = "; ".join(f"of-{day}, spend x, x" for day in range(1, 4))
    assert status() == (1, [f"! budget alerts that not every sink took: {named}; and 2 more"])


@pytest.mark.parametrize("others", [{"slack": "sent"}, {}])
def test_a_sink_that_was_removed_is_missed_where_nobody_else_was_told(
    others: Mapping[str, str], database: sa.Engine, status: Status
) -> None:
    """Of the last alert and of one before it."""
    for number, hours in enumerate((30, 3)):
        alert(database, f"of-{number}", {"mail": "pending", **others}, hours=hours)
    with database.begin() as connection:
        connection.execute(sa.update(DELIVERIES).values(not_before=sa.func.now() - 2 * AFTER))
    dead_letters = SimpleNamespace(send_message=lambda **_: {})
    ending = Leftovers(["slack"], database, Queues(dead_letters, "", ""), Metrics(CollectorRegistry()))
    assert [ending.once() for _ in range(3)] == [True, True, False]
    code, marked = status()
    assert (code, len(marked)) == ((0, 0) if others else (1, 2))


def test_a_database_that_ends_amid_it_is_one_line(
    status: Status, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def lost(*_: object) -> None:
        raise sa.exc.OperationalError("SELECT 1", {}, Exception("terminating connection\nby command"))

    monkeypatch.setattr(cli.activity, "look", lost)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"freehold: control database of {CELL}: the connection was lost: terminating connection; ")
