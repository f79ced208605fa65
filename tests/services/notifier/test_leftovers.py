"""What was to be sent to a sink that has been taken out of the settings."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from prometheus_client import CollectorRegistry

from services.notifier import alerts
from services.notifier.leftovers import AFTER, Leftovers
from services.notifier.message import render
from services.notifier.metrics import Metrics
from services.notifier.queues import Queues, QueueUnavailable
from tests.services.notifier.line import Line, consumer, queues
from tests.services.notifier.samples import MESSAGE

pytestmark = pytest.mark.sandbox


def _due_for(line: Line, time: timedelta) -> None:
    with line.engine.begin() as connection:
        connection.execute(sa.update(alerts.DELIVERIES).values(not_before=sa.func.now() - time))


def _leftovers(line: Line, *sinks: str, metrics: Metrics | None = None, to: Queues | None = None) -> Leftovers:
    return Leftovers(sinks, line.engine, to or queues(line), metrics or Metrics(CollectorRegistry()))


def test_an_alert_for_a_sink_that_was_removed_is_given_up_with_the_reason(line: Line) -> None:
    line.publish(render(MESSAGE))
    consumer(line, "slack", "webhook").once(0)
    _due_for(line, AFTER + timedelta(seconds=1))
    metrics = Metrics(CollectorRegistry())
    ending = _leftovers(line, "webhook", metrics=metrics)
    assert [ending.once(), ending.once()] == [True, False]
    told = line.deliveries()
    assert (told["slack"].state, told["slack"].last_error) == (alerts.State.DEAD, "the settings name no sink slack")
    assert told["webhook"].state is alerts.State.PENDING
    ((_, attributes),) = line.dead()
    assert attributes == {"Reason": "the settings name no sink slack", "Sink": "slack"}
    labels = {"sink": "slack", "outcome": "dead"}
    assert metrics.registry.get_sample_value("freehold_notifier_deliveries_total", labels) == 1
    with line.engine.connect() as connection:
        assert alerts.backlog(connection) == 1


def test_a_sink_that_another_replica_has_is_left_to_it(line: Line) -> None:
    """While a new release or a new sink is rolled out: whoever has it sends what is due within moments."""
    line.publish(render(MESSAGE))
    consumer(line, "slack").once(0)
    _due_for(line, AFTER - timedelta(minutes=1))
    assert not _leftovers(line, "webhook").once()
    assert line.deliveries()["slack"].state is alerts.State.PENDING


def test_what_cannot_be_buried_is_ended_at_the_next_look(line: Line) -> None:
    class Away(Queues):
        def bury(self, body: str, reason: str, *, sink: str = "") -> None:
            raise QueueUnavailable("send_message: no answer")

    line.publish(render(MESSAGE))
    consumer(line, "slack").once(0)
    _due_for(line, AFTER + timedelta(minutes=1))
    with pytest.raises(QueueUnavailable):
        _leftovers(line, "webhook", to=Away(line.aws("sqs"), line.queue, line.dead_letters)).once()
    assert line.deliveries()["slack"].state is alerts.State.PENDING
    assert _leftovers(line, "webhook").once()
    assert line.deliveries()["slack"].state is alerts.State.DEAD
