"""What the notifier sends to sinks that refuse, hang, break off and recover."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry

from services.notifier import alerts
from services.notifier.alerts import Alert
from services.notifier.dispatcher import Dispatcher, Retries
from services.notifier.message import render
from services.notifier.metrics import Metrics
from services.notifier.queues import Queues, QueueUnavailable
from services.notifier.sinks import Sink
from services.notifier.sinks.slack import SlackSink
from services.notifier.sinks.webhook import WebhookSink
from tests.services.notifier.catching import catcher
from tests.services.notifier.line import SECRET, Line, consumer, dispatcher
from tests.services.notifier.samples import MESSAGE

pytestmark = pytest.mark.sandbox


@pytest.mark.parametrize("answer", [500, "hang", "reset"])
def test_a_sink_that_recovers_gets_it_and_the_others_did_not_wait(line: Line, answer: Any) -> None:
    line.publish(render(MESSAGE))
    consumer(line, "slack", "webhook").once(0)
    with catcher(answer) as bad, catcher() as good:
        slow = dispatcher(line, SlackSink(bad.url, 0.3 if answer == "hang" else 20))
        quick = dispatcher(line, WebhookSink(good.url, (SECRET,), 20))
        assert slow.once()
        assert quick.once()
        assert line.deliveries()["webhook"].state is alerts.State.SENT
        assert line.deliveries()["slack"].state is alerts.State.PENDING
        line.make_due()
        assert dispatcher(line, SlackSink(bad.url, 20)).once()
    slack = line.deliveries()["slack"]
    assert (slack.state, slack.attempts, slack.last_error) == (alerts.State.SENT, 2, None)


def test_a_sink_that_says_when_to_come_again_is_left_alone_until_then(line: Line) -> None:
    line.publish(render(MESSAGE))
    consumer(line, "slack").once(0)
    with catcher((429, {"Retry-After": "3000"})) as busy:
        assert dispatcher(line, SlackSink(busy.url, 20)).once()
    slack = line.deliveries()["slack"]
    assert slack.attempted_at is not None
    assert slack.not_before - slack.attempted_at >= timedelta(seconds=3000)


def test_after_the_last_attempt_it_lies_with_the_dead_letters_with_the_reason(line: Line) -> None:
    line.publish(render(MESSAGE))
    consumer(line, "slack").once(0)
    with catcher(500, 502, 503) as caught:
        sending = dispatcher(line, SlackSink(caught.url, 20), attempts=3)
        for _ in range(3):
            line.make_due()
            assert sending.once()
        line.make_due()
        assert not sending.once()
    slack = line.deliveries()["slack"]
    assert (slack.state, slack.attempts, slack.last_error) == (alerts.State.DEAD, 3, "answered 503")
    ((body, attributes),) = line.dead()
    assert attributes == {"Reason": "answered 503", "Sink": "slack"}
    assert json.loads(body)["budget"] == MESSAGE.budget


@dataclass
class Defective:
    """A sink that fails in a way that nobody thought of."""

    secret: str
    name: str = "slack"

    def send(self, alert: Alert) -> None:
        raise LookupError(self.secret)


def test_a_sink_with_a_defect_is_tried_again_and_then_dead(line: Line) -> None:
    line.publish(render(MESSAGE))
    consumer(line, "slack").once(0)
    sink = Defective("hooks.example.com/secret")
    with structlog.testing.capture_logs() as lines:
        assert dispatcher(line, sink, attempts=2).once()
        assert line.deliveries()["slack"].state is alerts.State.PENDING
        line.make_due()
        assert dispatcher(line, sink, attempts=2).once()
    slack = line.deliveries()["slack"]
    assert (slack.state, slack.last_error) == (alerts.State.DEAD, "a defect: LookupError")
    assert [attributes["Reason"] for _, attributes in line.dead()] == ["a defect: LookupError"]
    assert "in send" in str(lines)
    # What an exception says may be a secret.
    assert "hooks.example.com" not in str(lines)


class Failing(Queues):
    """Buries nothing as often as there are errors, and then as it should."""

    def __init__(self, line: Line, *errors: Exception) -> None:
        super().__init__(line.aws("sqs"), line.queue, line.dead_letters)
        self._errors = list(errors)

    def bury(self, body: str, reason: str, *, sink: str = "") -> None:
        if self._errors:
            raise self._errors.pop()
        super().bury(body, reason, sink=sink)


def dispatching(line: Line, sink: Sink, queues: Queues, attempts: int) -> Dispatcher:
    retries = Retries(attempts=attempts, first_seconds=0.001)
    return Dispatcher(sink, line.engine, queues, Metrics(CollectorRegistry()), retries, timedelta(seconds=60))


def test_a_worker_goes_on_after_what_nobody_thought_of(line: Line) -> None:
    line.publish(render(MESSAGE))
    consumer(line, "slack").once(0)
    stop = threading.Event()
    with catcher(404) as caught:
        sending = dispatching(line, SlackSink(caught.url, 20), Failing(line, LookupError()), attempts=1)
        thread = threading.Thread(target=sending.run, args=[stop])
        thread.start()
        assert caught.arrived.acquire(timeout=60)
        deadline = time.monotonic() + 60
        while line.deliveries()["slack"].state is not alerts.State.DEAD and time.monotonic() < deadline:
            line.make_due()
            sending.wake()
            time.sleep(0.05)
        stop.set()
        sending.wake()
        thread.join()
    assert line.deliveries()["slack"].state is alerts.State.DEAD


@pytest.mark.parametrize(
    ("answer", "sink"),
    [(404, lambda url: SlackSink(url, 20)), (500, lambda url: WebhookSink(url, (SECRET,), 20))],
    ids=["refused", "exhausted"],
)
def test_while_nothing_can_be_buried_it_is_not_sent_again(line: Line, answer: int, sink: Callable[[str], Sink]) -> None:
    line.publish(render(MESSAGE))
    with catcher(answer) as caught:
        made = sink(caught.url)
        consumer(line, made.name).once(0)
        queues = Failing(line, *(QueueUnavailable("send_message: no answer") for _ in range(3)))
        sending = dispatching(line, made, queues, attempts=1)
        for _ in range(3):
            with pytest.raises(QueueUnavailable):
                sending.once()
            assert line.deliveries()[made.name].state is alerts.State.PENDING
            line.make_due()
        assert sending.once()
        assert len(caught.caught) == 1
    delivery = line.deliveries()[made.name]
    assert (delivery.state, delivery.last_error) == (alerts.State.DEAD, f"answered {answer}")
    assert [attributes["Reason"] for _, attributes in line.dead()] == [f"answered {answer}"]


def test_a_refusal_is_not_tried_again(line: Line) -> None:
    line.publish(render(MESSAGE))
    consumer(line, "slack").once(0)
    with catcher(404) as caught:
        assert dispatcher(line, SlackSink(caught.url, 20)).once()
    assert line.deliveries()["slack"].state is alerts.State.DEAD
    assert [attributes["Reason"] for _, attributes in line.dead()] == ["answered 404"]


def test_however_often_it_failed_the_next_attempt_is_soon_enough() -> None:
    retries = Retries(first_seconds=5, longest_seconds=60)
    assert 3.75 <= retries.delay(1) <= 6.25
    assert 7.5 <= retries.delay(2) <= 12.5
    assert 45 <= retries.delay(40) <= 75
