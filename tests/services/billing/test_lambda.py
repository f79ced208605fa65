"""The Lambda entry with the events that AWS sends, in plain text and in base64."""

from __future__ import annotations

import asyncio
import base64
import importlib
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from errors import UsageError
from sandbox.stripe_events import body_and_headers
from services.billing import lambda_entry, settings
from tests.services.billing import bench
from tests.services.billing.bench import SECRET, Books
from tests.services.billing.test_effects import CREATED, DOWNGRADED, UPGRADED

pytestmark = pytest.mark.sandbox


def invocation(
    body: str, headers: dict[str, str], *, encoded: bool, domain: str, method: str = "POST"
) -> dict[str, Any]:
    """Payload format 2.0, which function URLs and HTTP APIs share.

    https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads
    """
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/webhooks/stripe",
        "rawQueryString": "",
        "headers": {name.lower(): value for name, value in headers.items()},
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "abc",
            "domainName": domain,
            "domainPrefix": "abc",
            "http": {
                "method": method,
                "path": "/webhooks/stripe",
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            },
            "requestId": "id",
            "routeKey": "$default",
            "stage": "$default",
            "time": "12/Mar/2026:19:03:58 +0000",
            "timeEpoch": 1583348638390,
        },
        "body": body,
        "isBase64Encoded": encoded,
    }


@pytest.fixture
def _loop() -> Iterator[None]:
    """Mangum takes the thread's event loop and never closes it."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture
def function(_loop: None, own_login: sa.URL, books: Books, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in bench.environment(own_login).items():
        monkeypatch.setenv(name, value)
    module = importlib.reload(lambda_entry)
    yield module.handler
    module.stop()


@pytest.mark.parametrize("domain", ["abc.lambda-url.us-east-1.on.aws", "abc.execute-api.us-east-1.amazonaws.com"])
def test_both_kinds_of_address_and_of_body(function: Any, books: Books, domain: str) -> None:
    body, headers = body_and_headers(CREATED, SECRET)
    plain = function(invocation(body.decode(), headers, encoded=False, domain=domain), None)
    assert (plain["statusCode"], json.loads(plain["body"])["state"]) == (200, "applied")
    body, headers = body_and_headers(UPGRADED, SECRET)
    encoded = base64.b64encode(body).decode()
    answer = function(invocation(encoded, headers, encoded=True, domain=domain), None)
    assert (answer["statusCode"], json.loads(answer["body"])["state"]) == (200, "applied")
    assert books.plan() == "pro"
    again = function(invocation(encoded, headers, encoded=True, domain=domain), None)
    assert json.loads(again["body"])["state"] == "duplicate"


def test_what_is_refused(function: Any, books: Books) -> None:
    body, headers = body_and_headers(UPGRADED, "whsec_another_secret")
    domain = "abc.lambda-url.us-east-1.on.aws"
    assert function(invocation(body.decode(), headers, encoded=False, domain=domain), None)["statusCode"] == 400
    assert function(invocation("", headers, encoded=False, domain=domain, method="GET"), None)["statusCode"] == 405
    assert books.states() == {}


def test_a_rolled_secret_is_seen_in_time(function: Any, books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    rolled, domain = "whsec_the_one_after_it_was_rolled", "abc.lambda-url.us-east-1.on.aws"

    def answered(event: dict[str, Any], secret: str) -> int:
        body, headers = body_and_headers(event, secret)
        return int(function(invocation(body.decode(), headers, encoded=False, domain=domain), None)["statusCode"])

    assert answered(CREATED, SECRET) == 200
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", rolled)
    assert (answered(CREATED, SECRET), answered(CREATED, rolled)) == (200, 400)
    assert lambda_entry._service is not None
    lambda_entry._service = lambda_entry._service._replace(until=time.time())
    assert (answered(UPGRADED, SECRET), answered(UPGRADED, rolled)) == (400, 200)
    assert books.plan() == "pro"
    # What served before is gone, with its thread and its connection.
    assert [thread.name for thread in threading.enumerate()].count("inbox") == 1


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"STRIPE_WEBHOOK_SECRET": ""}, "there is no signing secret"),
        ({"DATABASE_SECRET_ARN": "arn:of:half:a-record", "PGSSLROOTCERT": "/authority.pem"}, "it is no JSON object"),
    ],
)
def test_secrets_that_cannot_be_read_leave_those_that_are_known_in_use(
    function: Any,
    books: Books,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, str],
    told: str,
) -> None:
    def send(event: dict[str, Any]) -> Any:
        body, headers = body_and_headers(event, SECRET)
        answer = function(invocation(body.decode(), headers, encoded=False, domain="x"), None)
        return answer["statusCode"]

    def due() -> None:
        assert lambda_entry._service is not None
        lambda_entry._service = lambda_entry._service._replace(until=time.time())

    assert send(CREATED) == 200
    before = lambda_entry._service
    monkeypatch.setattr(settings, "read_aws_secret", lambda reference: '{"password": "half')
    with monkeypatch.context() as trouble:
        for name, value in changes.items():
            trouble.setenv(name, value)
        due()
        assert send(UPGRADED) == 200
    kept = lambda_entry._service
    assert before is not None and kept is not None
    assert (kept.adapter is before.adapter, kept.until > time.time()) == (True, True)
    assert books.plan() == "pro"
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "secrets-not-read" in line]
    assert told in line and "half" not in line.replace("half:a-record", "") and SECRET not in line
    # And then they are read again.
    due()
    assert send(DOWNGRADED) == 200
    assert lambda_entry._service is not None and lambda_entry._service.adapter is not before.adapter


def test_without_a_secret_it_does_not_start(function: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", "")
    body, headers = body_and_headers(UPGRADED, SECRET)
    with pytest.raises(UsageError, match="no signing secret"):
        function(invocation(body.decode(), headers, encoded=False, domain="x"), None)
