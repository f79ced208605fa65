"""What the notifier sends to sinks that refuse, hang, break off and recover."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.notifier import alerts
from services.notifier.message import render
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


def test_a_refusal_is_not_tried_again(line: Line) -> None:
    line.publish(render(MESSAGE))
    consumer(line, "slack").once(0)
    with catcher(404) as caught:
        assert dispatcher(line, SlackSink(caught.url, 20)).once()
    assert line.deliveries()["slack"].state is alerts.State.DEAD
    assert [attributes["Reason"] for _, attributes in line.dead()] == ["answered 404"]
