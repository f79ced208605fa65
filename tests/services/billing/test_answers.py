"""What the webhook answers, counts and logs, by what its receiver makes of an event: alarms are set on it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
import structlog
from prometheus_client import CollectorRegistry
from starlette.types import Message

from sandbox.stripe_events import body_and_headers, event
from services.billing import PATH
from services.billing.application import Application, Metrics, Webhook
from services.billing.effects import State
from services.billing.inbox import Arrival, Conclusion
from services.billing.receiver import EffectFailed, Unavailable
from tests.services.billing.bench import SECRET

EVENT = event("invoice.paid", {}, id="evt_1", created=1)


class Deciding:
    """In place of the receiver: each event comes to `what`."""

    def __init__(self, what: Conclusion | Exception | None) -> None:
        self.what, self.backlog = what, 7

    async def receive(self, arrival: Arrival) -> Conclusion | None:
        if isinstance(self.what, Exception):
            raise self.what
        return self.what


class Answered:
    def __init__(self, what: Conclusion | Exception | None, kind: str = "invoice.paid") -> None:
        self.metrics = CollectorRegistry()
        receiver: Any = Deciding(what)
        metrics = Metrics(self.metrics, receiver)
        app = Application(Webhook(receiver, [SECRET.encode()], livemode=False, metrics=metrics))
        body, headers = body_and_headers({**EVENT, "type": kind}, SECRET)

        async def send() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://webhook") as client:
                return await client.post(PATH, content=body, headers=headers)

        merge = structlog.contextvars.merge_contextvars
        with structlog.testing.capture_logs(processors=[merge]) as self.lines:
            self.answer = asyncio.run(send())

    def sample(self, name: str, **labels: str) -> float | None:
        return self.metrics.get_sample_value(f"freehold_billing_{name}", labels)


@pytest.mark.parametrize(
    ("what", "status", "error", "refused"),
    [
        (Unavailable("it is down"), 503, "the event could not be stored; send it again", "unavailable"),
        (EffectFailed("a defect"), 500, "the event is stored, its effect failed; send it again", "effect"),
        (LookupError("cus_1 is poor"), 500, "send it again", "error"),
    ],
)
def test_what_is_not_taken_is_to_be_sent_again_and_is_told_by_its_id(
    what: Exception, status: int, error: str, refused: str
) -> None:
    """An alarm of CloudWatch looks for `"refused": "effect"`."""
    told = Answered(what)
    assert (told.answer.status_code, told.answer.json()) == (status, {"error": error})
    assert told.answer.headers.get("Retry-After") == ("30" if status == 503 else None)
    assert told.sample("refused_total", reason=refused) == 1
    (line,) = told.lines
    assert (line["log_level"], line["refused"], line["status"]) == ("warning", refused, status)
    assert line["correlation_id"] == "evt_1"
    # What nobody thought of may say what Stripe sent.
    assert "poor" not in json.dumps(line)


@pytest.mark.parametrize(
    ("what", "state", "logged"),
    [
        (Conclusion(State.APPLIED, "plan starter -> pro", "acme"), "applied", {"log_level": "info", "tenant": "acme"}),
        (Conclusion(State.UNMATCHED, "no tenant"), "unmatched", {"log_level": "warning", "reason": "no tenant"}),
        (None, "duplicate", {"log_level": "info", "tenant": None}),
        (Conclusion(State.STALE, "a later one is known"), "stale", None),
        (Conclusion(State.IGNORED, "a type that nothing depends on"), "ignored", None),
    ],
)
def test_what_became_of_an_event_is_answered_counted_and_logged(
    what: Conclusion | None, state: str, logged: Mapping[str, str | None] | None
) -> None:
    """An alarm of CloudWatch looks for `"state": "unmatched"`."""
    told = Answered(what)
    assert (told.answer.status_code, told.answer.json()) == (200, {"event": "evt_1", "state": state})
    assert told.sample("events_total", type="invoice.paid", state=state) == 1
    assert bool(told.sample("last_event_timestamp_seconds")) == (what is not None), "a duplicate is not stored"
    assert told.sample("backlog") == 7
    expected = [] if logged is None else [{"state": state, "correlation_id": "evt_1", **logged}]
    keys = {name for line in expected for name in line}
    assert [{name: line[name] for name in keys} for line in told.lines] == expected


def test_types_that_stripe_invents_are_counted_as_one() -> None:
    told = Answered(Conclusion(State.IGNORED, None), kind="radar.early_fraud_warning.created")
    assert told.sample("events_total", type="other", state="ignored") == 1


def test_who_hangs_up_amid_the_body_is_counted_as_that() -> None:
    metrics, receiver, answered = CollectorRegistry(), Deciding(None), list[Message]()
    untold: Any = receiver
    webhook = Webhook(untold, [SECRET.encode()], livemode=False, metrics=Metrics(metrics, untold))
    coming: list[Message] = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> Message:
        return coming.pop(0)

    async def send(message: Message) -> None:
        answered.append(message)

    scope = {"type": "http", "method": "POST", "path": PATH, "headers": []}
    asyncio.run(webhook(scope, receive, send))
    assert answered[0]["status"] == 400
    assert metrics.get_sample_value("freehold_billing_refused_total", {"reason": "truncated"}) == 1
