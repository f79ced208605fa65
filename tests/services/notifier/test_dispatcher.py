"""What the notifier sends to sinks that refuse, hang, break off and recover."""

from __future__ import annotations

import json
import threading
import time
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
from services.notifier.queues import Queues
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


def test_a_worker_goes_on_after_what_nobody_thought_of(line: Line) -> None:
    class Once(Queues):
        """Fails in a way of its own at the first time."""

        failed = False

        def bury(self, body: str, reason: str, *, sink: str = "") -> None:
            if not self.failed:
                self.failed = True
                raise LookupError
            super().bury(body, reason, sink=sink)

    line.publish(render(MESSAGE))
    consumer(line, "slack").once(0)
    queues = Once(line.aws("sqs"), line.queue, line.dead_letters)
    stop = threading.Event()
    retries = Retries(attempts=1)
    with catcher(404, 404) as caught:
        sending = Dispatcher(
            SlackSink(caught.url, 20), line.engine, queues, Metrics(CollectorRegistry()), retries, timedelta(seconds=60)
        )
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


def test_a_refusal_is_not_tried_again(line: Line) -> None:
    line.publish(render(MESSAGE))
    consumer(line, "slack").once(0)
    with catcher(404) as caught:
        assert dispatcher(line, SlackSink(caught.url, 20)).once()
    assert line.deliveries()["slack"].state is alerts.State.DEAD
    assert [attributes["Reason"] for _, attributes in line.dead()] == ["answered 404"]
