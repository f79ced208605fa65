"""What the notifier takes from its queue: each alert once in a period, and what it cannot read."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa
from prometheus_client import CollectorRegistry

from services.notifier.consumer import Consumer
from services.notifier.envelope import Certificates
from services.notifier.message import render, subject
from services.notifier.metrics import Metrics
from services.notifier.sinks.slack import SlackSink
from tests.services.notifier.catching import catcher
from tests.services.notifier.line import Line, consumer, dispatcher, queues
from tests.services.notifier.samples import MESSAGE, NEXT_MONTH

pytestmark = pytest.mark.sandbox


def test_an_alert_that_is_published_twice_arrives_once(line: Line) -> None:
    for _ in range(2):
        line.publish(render(MESSAGE), subject(MESSAGE))
    metrics = Metrics(CollectorRegistry())
    assert consumer(line, "slack", metrics=metrics).once(0) == 2
    with catcher() as caught:
        sending = dispatcher(line, SlackSink(caught.url, 20))
        assert [sending.once(), sending.once()] == [True, False]
    assert len(caught.caught) == 1
    assert (line.waiting(), line.dead()) == (0, [])
    counted = {outcome: metrics.messages.labels(outcome)._value.get() for outcome in ("recorded", "repeated")}
    assert counted == {"recorded": 1, "repeated": 1}


def test_the_next_period_is_told_again(line: Line) -> None:
    for message in (MESSAGE, NEXT_MONTH):
        line.publish(render(message))
    consumer(line, "slack").once(0)
    with catcher() as caught:
        sending = dispatcher(line, SlackSink(caught.url, 20))
        assert [sending.once() for _ in range(3)] == [True, True, False]
    assert len(caught.caught) == 2


def test_what_cannot_be_read_is_kept_with_the_reason(line: Line) -> None:
    line.publish("AWS changed its mind about how to write this")
    line.aws("sqs").send_message(QueueUrl=line.queue, MessageBody=json.dumps({"Type": "Notification"}))
    consumer(line, "slack").once(0)
    reasons = sorted(attributes["Reason"].split(":")[0] for _, attributes in line.dead())
    assert reasons == ["it does not begin with AWS Budget Notification and a date", "it is no notification of SNS"]
    assert (line.waiting(), line.deliveries()) == (0, {})


def test_an_alarm_of_cloudwatch_makes_no_dead_letter(line: Line) -> None:
    line.publish(json.dumps({"AlarmName": "dead letters", "NewStateValue": "ALARM"}))
    consumer(line, "slack").once(0)
    assert (line.waiting(), line.dead(), line.deliveries()) == (0, [], {})


def test_without_the_certificate_or_the_database_nothing_is_acknowledged(line: Line) -> None:
    # What is not acknowledged comes again at once.
    line.aws("sqs").set_queue_attributes(QueueUrl=line.queue, Attributes={"VisibilityTimeout": "0"})
    line.publish(render(MESSAGE))
    taking = consumer(line, "slack")
    with line.administrator.begin() as connection:
        connection.execute(sa.text("ALTER TABLE budget_alerts RENAME TO away"))
    taking.once(0)
    assert (line.waiting(), line.dead()) == (1, [])
    with line.administrator.begin() as connection:
        connection.execute(sa.text("ALTER TABLE away RENAME TO budget_alerts"))
    blind = Consumer(
        queues(line),
        line.engine,
        Metrics(CollectorRegistry()),
        topic=line.topic,
        certificates=Certificates("http://127.0.0.1:1"),
        sinks=["slack"],
    )
    assert blind.once(0) == 1
    assert (line.waiting(), line.dead(), line.deliveries()) == (1, [], {})
    assert taking.once(0) == 1
    assert (line.waiting(), set(line.deliveries())) == (0, {"slack"})
