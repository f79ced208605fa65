"""The Lambda entry with the events that AWS sends, in plain text and in base64."""

from __future__ import annotations

import asyncio
import base64
import importlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from errors import UsageError
from sandbox.stripe_events import body_and_headers
from services.billing import lambda_entry
from tests.services.billing import bench
from tests.services.billing.bench import SECRET, Books
from tests.services.billing.test_effects import CREATED, UPGRADED

pytestmark = pytest.mark.sandbox


def invocation(
    body: str,
    headers: dict[str, str],
    *,
    encoded: bool,
    domain: str,
    method: str = "POST",
    stage: str = "$default",
    path: str = "/webhooks/stripe",
) -> dict[str, Any]:
    """Payload format 2.0, which function URLs and HTTP APIs share.

    https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads
    """
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {name.lower(): value for name, value in headers.items()},
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "abc",
            "domainName": domain,
            "domainPrefix": "abc",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            },
            "requestId": "id",
            "routeKey": "$default",
            "stage": stage,
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


@pytest.mark.parametrize(
    ("stage", "path", "status"),
    [
        ("prod", "/prod/webhooks/stripe", 200),
        # By a domain name of one's own the stage is not in the path.
        ("prod", "/webhooks/stripe", 200),
        ("webhooks", "/webhooks/webhooks/stripe", 200),
        ("webhooks", "/webhooks/stripe", 200),
        ("prod", "/production/webhooks/stripe", 404),
        ("prod", "/dev/webhooks/stripe", 404),
        ("$default", "/$default/prod/webhooks/stripe", 404),
    ],
)
def test_the_stage_of_an_api_is_no_part_of_the_path(function: Any, stage: str, path: str, status: int) -> None:
    """https://github.com/aws-powertools/powertools-lambda-python/issues/621 shows what events tell."""
    body, headers = body_and_headers(CREATED, SECRET)
    domain = "abc.execute-api.us-east-1.amazonaws.com"
    event = invocation(body.decode(), headers, encoded=False, domain=domain, stage=stage, path=path)
    assert function(event, None)["statusCode"] == status


def test_secrets_are_read_anew_between_calls(function: Any, books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    rolled, domain = "whsec_the_one_after_it_was_rolled", "abc.lambda-url.us-east-1.on.aws"

    def answered(event: dict[str, Any], secret: str) -> int:
        body, headers = body_and_headers(event, secret)
        return int(function(invocation(body.decode(), headers, encoded=False, domain=domain), None)["statusCode"])

    assert answered(CREATED, SECRET) == 200
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", rolled)
    assert (answered(CREATED, SECRET), answered(CREATED, rolled)) == (200, 400)
    assert lambda_entry._service is not None
    monkeypatch.setattr(lambda_entry._service.running, "_until", 0.0)
    assert (answered(UPGRADED, SECRET), answered(UPGRADED, rolled)) == (400, 200)
    assert books.plan() == "pro"


def test_without_a_secret_it_does_not_start(function: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", "")
    body, headers = body_and_headers(UPGRADED, SECRET)
    with pytest.raises(UsageError, match="no signing secret"):
        function(invocation(body.decode(), headers, encoded=False, domain="x"), None)
