"""The sinks, each against a server that behaves, and against servers that do not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import uuid
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any

import pytest

from errors import FreeholdError
from services.notifier.alerts import Alert
from services.notifier.sinks import Sink, SinkFailed, SinkRefused
from services.notifier.sinks.slack import SlackSink
from services.notifier.sinks.webhook import WebhookSink
from tests.services.notifier.catching import Answer, catcher, refusing_port

LIMIT, SHORT = 20.0, 0.3
SECRETS = tuple(f"whsec_{base64.b64encode(bytes([number]) * 32).decode()}" for number in (1, 2))
ALERT = Alert(
    id=uuid.UUID(int=7),
    account="123456789012",
    budget="prod & <staging>",
    type="ACTUAL",
    threshold="> $275.50",
    period="2026-11",
    budgeted="$290.00",
    spent="$278.40",
    correlation_id="m-1",
    repeats=0,
    received_at=datetime(2026, 11, 20, 10, tzinfo=UTC),
)


def _webhook(url: str, limit: float = LIMIT) -> Sink:
    return WebhookSink(url, SECRETS, limit)


def _slack(url: str, limit: float = LIMIT) -> Sink:
    return SlackSink(url, limit)


def test_a_webhook_is_signed_as_standard_webhooks_says() -> None:
    with catcher() as caught:
        WebhookSink(caught.url, SECRETS, LIMIT, clock=lambda: 1_700_000_000.9).send(ALERT)
    (got,) = caught.caught
    assert got.headers["content-type"] == "application/json"
    assert got.headers["webhook-id"] == f"alert_{ALERT.id}"
    assert got.headers["webhook-timestamp"] == "1700000000"
    signed = f"alert_{ALERT.id}.1700000000.".encode() + got.body
    expected = [
        "v1," + base64.b64encode(hmac.digest(bytes([number]) * 32, signed, hashlib.sha256)).decode()
        for number in (1, 2)
    ]
    assert got.headers["webhook-signature"].split() == expected
    assert json.loads(got.body) == {
        "type": "budget.threshold_crossed",
        "timestamp": "2026-11-20T10:00:00+00:00",
        "data": {
            "account": "123456789012",
            "budget": "prod & <staging>",
            "alert_type": "ACTUAL",
            "threshold": "> $275.50",
            "period": "2026-11",
            "budgeted": "$290.00",
            "spent": "$278.40",
            "correlation_id": "m-1",
        },
    }


def _secret(length: int) -> str:
    return f"whsec_{base64.b64encode(bytes(length)).decode()}"


@pytest.mark.parametrize("length", [24, 64])
def test_a_webhook_s_secret_is_as_long_as_the_standard_lets_it_be(length: int) -> None:
    with catcher() as caught:
        WebhookSink(caught.url, (_secret(length),), LIMIT).send(ALERT)
    assert len(caught.caught) == 1


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "whsec_AAAA",
        "whsec_no base64",
        "short",
        _secret(23),
        _secret(65),
        _secret(32).replace("A", "-A", 1),
    ],
)
def test_a_webhook_without_a_proper_secret_does_not_start(secret: str) -> None:
    with pytest.raises(FreeholdError, match="sink webhook"):
        WebhookSink("https://alerts.example.com", (secret,), LIMIT)


def test_slack_gets_blocks_with_a_text_for_notifications_and_nothing_to_misread() -> None:
    with catcher() as caught:
        _slack(caught.url).send(ALERT)
    (got,) = caught.caught
    message = json.loads(got.body)
    assert message["text"] == (
        "Budget prod &amp; &lt;staging&gt;: $278.40 was spent (&gt; $275.50 of $290.00, 2026-11)"
    )
    assert got.headers["content-type"] == "application/json"
    header, section, context = message["blocks"]
    assert (header["type"], section["type"], context["type"]) == ("header", "section", "context")
    # What is plain text to Slack is shown as it is.
    assert header["text"] == {"type": "plain_text", "text": "Budget prod & <staging>", "emoji": False}
    assert {field["type"] for field in section["fields"]} == {"mrkdwn"}
    assert [field["text"] for field in section["fields"]] == [
        "*Spent*\n$278.40",
        "*Threshold*\n&gt; $275.50",
        "*Budget*\n$290.00",
        "*Period*\n2026-11",
        "*Account*\n123456789012",
    ]


def test_slack_is_told_a_forecast_as_one_and_a_name_as_far_as_it_takes_it() -> None:
    """It refuses a header of more than 150 characters, and the alert with it."""
    with catcher() as caught:
        _slack(caught.url).send(ALERT.model_copy(update={"type": "FORECASTED", "budget": "b" * 200}))
    header, section, _ = json.loads(caught.caught[0].body)["blocks"]
    assert header["text"]["text"] == f"Budget {'b' * 143}"
    assert section["fields"][0]["text"] == "*Forecast*\n$278.40"


@pytest.mark.parametrize("status", [200, 202, 204, 299])
def test_whatever_says_that_it_was_taken_is_believed(status: int) -> None:
    with catcher((status, {})) as caught:
        _webhook(caught.url).send(ALERT)
    assert len(caught.caught) == 1


@pytest.mark.parametrize("make", [_webhook, _slack])
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (500, "answered 500"),
        (503, "answered 503"),
        (429, "answered 429"),
        (408, "answered 408"),
        (409, "answered 409"),
        (423, "answered 423"),
        (425, "answered 425"),
        ("hang", "no answer within 0.3 s"),
        ("drip", "no answer within 0.3 s"),
        ("reset", "ReadError|RemoteProtocolError|WriteError"),
    ],
)
def test_what_may_pass_is_a_failure_and_the_next_attempt_arrives(make: Any, answer: Answer, reason: str) -> None:
    with catcher(answer) as caught:
        with pytest.raises(SinkFailed, match=reason) as failed:
            make(caught.url, SHORT if answer in ("hang", "drip") else LIMIT).send(ALERT)
        assert not isinstance(failed.value, SinkRefused)
        make(caught.url).send(ALERT)


@pytest.mark.parametrize("make", [_webhook, _slack])
@pytest.mark.parametrize("status", [300, 301, 307, 400, 401, 403, 404, 410])
def test_what_will_not_pass_is_a_refusal(make: Any, status: int) -> None:
    with catcher((status, {"Location": "/elsewhere"})) as caught, pytest.raises(SinkRefused, match=str(status)):
        make(caught.url).send(ALERT)
    assert [one.path for one in caught.caught] == ["/alerts"]


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("7", 7.0),
        ("999999", 3600.0),
        ("-1", 0.0),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("Sun, 06 Nov 99999 08:49:37 GMT", None),
        ("Sun, 06 Nov 1994 08:49:37 +99999999999999", None),
    ],
)
def test_a_sink_may_say_when_to_come_again(header: str, wait: float | None) -> None:
    with catcher((429, {"Retry-After": header})) as caught, pytest.raises(SinkFailed) as failed:
        _slack(caught.url).send(ALERT)
    assert failed.value.retry_after == wait


@pytest.mark.parametrize(
    ("seconds", "least", "most"), [(600, 590, 600), (-600, 0, 0), (10**6, 3600, 3600)], ids=["future", "past", "far"]
)
def test_a_sink_may_say_it_by_a_date(seconds: float, least: float, most: float) -> None:
    moment = formatdate(time.time() + seconds, usegmt=True)
    with catcher((429, {"Retry-After": moment})) as caught, pytest.raises(SinkFailed) as failed:
        _slack(caught.url).send(ALERT)
    assert failed.value.retry_after is not None and least <= failed.value.retry_after <= most


@pytest.mark.parametrize("make", [_webhook, _slack])
def test_a_refused_connection_is_a_failure_that_tells_no_address(make: Any) -> None:
    with refusing_port() as port, pytest.raises(SinkFailed) as failed:
        make(f"http://127.0.0.1:{port}/secret").send(ALERT)
    assert str(failed.value) == "ConnectError"


@pytest.mark.parametrize("url", ["", "no address", "ftp://127.0.0.1/x"])
def test_an_address_that_is_none_is_a_refusal(url: str) -> None:
    with pytest.raises(SinkRefused, match="address"):
        _slack(url).send(ALERT)
