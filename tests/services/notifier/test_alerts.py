"""Alerts in the database: each once, each sink on its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa

from catalog.services import Service
from services.notifier import alerts
from services.notifier.message import AlertType, Amount, BudgetMessage
from tests.service_logins import login
from tests.services.notifier.samples import MESSAGE, NEXT_MONTH

pytestmark = pytest.mark.sandbox

SINKS = ("mail", "slack")
LEASE = timedelta(hours=1)
OVER = timedelta(0)


@pytest.fixture
def engine(migrated_database: sa.URL) -> Iterator[sa.Engine]:
    engine = sa.create_engine(login(migrated_database, Service.NOTIFIER))
    yield engine
    engine.dispose()


def _record(engine: sa.Engine, message: BudgetMessage = MESSAGE) -> bool:
    with engine.begin() as connection:
        return alerts.record(connection, message, correlation_id="m-1", sinks=SINKS)[1]


def _take(engine: sa.Engine, sink: str, lease: timedelta = LEASE) -> alerts.Taken | None:
    with engine.begin() as connection:
        return alerts.take(connection, sink, lease)


def _states(engine: sa.Engine) -> dict[str, str]:
    with engine.connect() as connection:
        found = alerts.deliveries(connection, [alerts.alert_id(MESSAGE)])
    return {one.sink: one.state.value for one in found}


def test_an_alert_that_comes_twice_is_one(engine: sa.Engine) -> None:
    assert [_record(engine), _record(engine, replace(MESSAGE, spent=Amount(Decimal("280"), "$")))] == [True, False]
    with engine.connect() as connection:
        (alert,) = alerts.latest(connection, 10)
        assert (alert.repeats, alert.spent) == (1, "$278.40")
        assert alerts.backlog(connection) == len(SINKS)


def test_an_alert_that_comes_at_once_in_many_threads_is_one(engine: sa.Engine) -> None:
    with ThreadPoolExecutor(8) as pool:
        new = list(pool.map(lambda _: _record(engine), range(40)))
    assert new.count(True) == 1
    with engine.connect() as connection:
        (alert,) = alerts.latest(connection, 10)
        assert alert.repeats == 39
        assert alerts.backlog(connection) == len(SINKS)


@pytest.mark.parametrize(
    "other",
    [
        NEXT_MONTH,
        replace(MESSAGE, threshold=Amount(Decimal("290"), "$")),
        replace(MESSAGE, alert_type=AlertType.FORECASTED),
        replace(MESSAGE, budget="another"),
        replace(MESSAGE, account="210987654321"),
        replace(MESSAGE, comparison="<"),
    ],
    ids=["next period", "next threshold", "forecast", "budget", "account", "below"],
)
def test_what_is_another_alert(engine: sa.Engine, other: BudgetMessage) -> None:
    assert [_record(engine), _record(engine, other)] == [True, True]


def test_a_delivery_is_taken_by_one_worker_until_its_time_is_up(engine: sa.Engine) -> None:
    _record(engine)
    first = _take(engine, "mail", lease=OVER)
    again = _take(engine, "mail")
    assert first is not None and again is not None
    assert (first.attempt, again.attempt) == (1, 2)
    assert _take(engine, "mail") is None
    assert _take(engine, "slack") is not None


def test_workers_at_once_take_each_delivery_once(engine: sa.Engine) -> None:
    for number in range(20):
        _record(engine, replace(MESSAGE, budget=f"b-{number}"))
    with ThreadPoolExecutor(8) as pool:
        taken = [one for one in pool.map(lambda _: _take(engine, "mail"), range(60)) if one is not None]
    assert len({one.alert.id for one in taken}) == len(taken)
    # One that another transaction holds is passed over: those are taken the next time.
    while (late := _take(engine, "mail")) is not None:
        taken.append(late)
    assert sorted(one.alert.budget for one in taken) == sorted(f"b-{number}" for number in range(20))


def test_each_sink_settles_on_its_own(engine: sa.Engine) -> None:
    _record(engine)
    mail, slack = _take(engine, "mail"), _take(engine, "slack")
    assert mail is not None and slack is not None
    with engine.begin() as connection:
        alerts.sent(connection, mail)
        alerts.give_up(connection, slack, "answered 404")
    assert _states(engine) == {"mail": "sent", "slack": "dead"}


def test_who_was_late_cannot_give_up_what_another_is_sending_but_sent_is_sent(engine: sa.Engine) -> None:
    _record(engine)
    late = _take(engine, "mail", lease=OVER)
    now = _take(engine, "mail")
    assert late is not None and now is not None
    with engine.begin() as connection:
        alerts.give_up(connection, late, "too late")
    assert _states(engine)["mail"] == "pending"
    with engine.begin() as connection:
        alerts.sent(connection, late)
    assert _states(engine)["mail"] == "sent"


def test_what_is_postponed_is_due_later(engine: sa.Engine) -> None:
    _record(engine)
    taken = _take(engine, "mail", lease=OVER)
    assert taken is not None
    with engine.begin() as connection:
        alerts.postpone(connection, taken, "x" * 10_000, timedelta(hours=1))
    assert _take(engine, "mail") is None
    with engine.connect() as connection:
        (mail, _) = alerts.deliveries(connection, [taken.alert.id])
    assert mail.last_error == "x" * 500


def test_what_has_been_due_longest_is_taken_first(engine: sa.Engine) -> None:
    _record(engine)
    first = _take(engine, "mail")
    assert first is not None
    _record(engine, NEXT_MONTH)
    with engine.begin() as connection:
        alerts.postpone(connection, first, "answered 500", timedelta(hours=-1))
    again = _take(engine, "mail")
    assert again is not None and again.alert.id == first.alert.id


@pytest.mark.parametrize("settle", [alerts.sent, lambda connection, taken: alerts.give_up(connection, taken, "no")])
def test_what_is_settled_stays_so(engine: sa.Engine, settle: Callable[[sa.Connection, alerts.Taken], None]) -> None:
    _record(engine)
    taken = _take(engine, "mail")
    assert taken is not None
    with engine.begin() as connection:
        settle(connection, taken)
    before = _states(engine)["mail"]
    with engine.begin() as connection:
        alerts.postpone(connection, taken, "answered 500", OVER)
        alerts.sent(connection, taken)
        alerts.give_up(connection, taken, "answered 404")
    assert _states(engine)["mail"] == before
    assert _take(engine, "mail") is None
