"""SNS' envelope: who wrote it, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization

from services.notifier import envelope
from services.notifier.envelope import Certificates, CertificateUnavailable, Refused, open_envelope
from tests.services.notifier.dripping import dripping
from tests.services.notifier.signing import ADDRESS, TOPIC, body, certificate, key, notification


def _open(text: str) -> Any:
    return open_envelope(text, TOPIC, lambda url: certificate())


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("subject", [None, "A subject", ""])
def test_what_sns_signed_is_opened(version: str, subject: str | None) -> None:
    opened = _open(body(text="the text\nwith lines", version=version, Subject=subject))
    assert (opened.id, opened.subject, opened.text) == ("m-1", subject or "", "the text\nwith lines")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Message", "another"),
        ("MessageId", "m-2"),
        ("Subject", "another"),
        ("Timestamp", "2026-11-20T10:00:00.001Z"),
        ("Signature", ""),
        ("Signature", "AAAA"),
        ("Signature", "no base64!"),
        ("SignatureVersion", "1"),
    ],
)
def test_a_field_that_was_changed_shows(field: str, value: str) -> None:
    with pytest.raises(Refused, match="signature is not that of SNS"):
        _open(json.dumps({**notification(), field: value}))


def test_a_subject_that_was_taken_away_shows() -> None:
    record = notification()
    del record["Subject"]
    with pytest.raises(Refused, match="signature is not that of SNS"):
        _open(json.dumps(record))


def test_another_key_is_refused() -> None:
    with pytest.raises(Refused, match="signature is not that of SNS"):
        open_envelope(body(), TOPIC, lambda url: certificate(key(1)))


def test_a_certificate_that_had_run_out_is_refused() -> None:
    with pytest.raises(Refused, match="not valid when it was sent"):
        open_envelope(body(), TOPIC, lambda url: certificate(until=2025))


def test_a_certificate_of_later_is_refused() -> None:
    with pytest.raises(Refused, match="not valid when it was sent"):
        open_envelope(body(), TOPIC, lambda url: certificate(since=2027))


def test_another_topic_is_refused() -> None:
    with pytest.raises(Refused, match="another topic"):
        _open(body(TopicArn=TOPIC.replace("prod", "staging")))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "[1]",
        "null",
        "{}",
        "[" * 100_000,
        json.dumps({**notification(), "Type": "SubscriptionConfirmation"}),
        json.dumps({**notification(), "SignatureVersion": "3"}),
        json.dumps({**notification(), "Message": {"a": 1}}),
        json.dumps({**notification(), "Timestamp": "yesterday"}),
        json.dumps({name: value for name, value in notification().items() if name != "Signature"}),
    ],
    ids=range(11),
)
def test_what_is_no_notification_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        _open(text)


@pytest.mark.parametrize(
    "address",
    [
        ADDRESS.replace("https", "http"),
        ADDRESS.replace("amazonaws.com", "amazonaws.com.evil.example"),
        ADDRESS.replace("sns.us-east-1.amazonaws.com", "evil.example"),
        ADDRESS.replace("sns.us-east-1", "bucket.s3"),
        ADDRESS.replace("https://", "https://evil.example@"),
        ADDRESS.replace("amazonaws.com/", "amazonaws.com:8443/"),
        ADDRESS.replace("/Simple", "/other/Simple"),
        ADDRESS.replace(".pem", ".pem?a=b"),
        ADDRESS.replace("/SimpleNotificationService", "/../SimpleNotificationService"),
        ADDRESS.replace("Service-", "Service-\n"),
        "",
        "file:///etc/ssl/cert.pem",
        "https://[",
        "https://[::1",
    ],
)
def test_a_certificate_from_elsewhere_is_not_even_asked_for(address: str) -> None:
    # Port 1 of the loopback: an attempt would fail differently.
    with pytest.raises(Refused, match="address of SNS"):
        Certificates("http://127.0.0.1:1").get(address)


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], list[str]]:
    """Has every certificate be these bytes; the addresses that are asked for."""

    def answering(content: bytes) -> list[str]:
        asked: list[str] = []

        async def answer(transport: object, request: httpx.Request) -> httpx.Response:
            asked.append(str(request.url))
            return httpx.Response(200, content=content)

        monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", answer)
        return asked

    return answering


def _pem(of: str) -> bytes:
    return certificate(of=of).public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize("of", ["sns.amazonaws.com", "sns.us-east-1.amazonaws.com"])
def test_the_certificate_of_sns_is_fetched_once(fetched: Callable[[bytes], list[str]], of: str) -> None:
    asked, certificates = fetched(_pem(of)), Certificates()
    assert certificates.get(ADDRESS) == certificates.get(ADDRESS)
    assert asked == [ADDRESS]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (lambda: _pem("evil.example"), "not that of SNS"),
        (lambda: _pem("sns.eu-west-1.amazonaws.com"), "not that of SNS"),
        (lambda: b"-----BEGIN CERTIFICATE-----", "cannot be read"),
        (lambda: _pem("sns.amazonaws.com") + b"\n" * 16 * 1024, "too long"),
    ],
    ids=["another's", "another region's", "none", "endless"],
)
def test_what_is_not_its_certificate_is_refused(
    fetched: Callable[[bytes], list[str]], content: Callable[[], bytes], why: str
) -> None:
    fetched(content())
    with pytest.raises(Refused, match=why):
        Certificates().get(ADDRESS)


@pytest.mark.parametrize("begin", [b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"])
def test_a_server_that_answers_byte_by_byte_is_left_in_time(monkeypatch: pytest.MonkeyPatch, begin: bytes) -> None:
    monkeypatch.setattr(envelope, "_LIMIT_SECONDS", 0.3)
    told = r"^sns\.us-east-1\.amazonaws\.com: no answer within 0\.3 s$"
    with dripping(b"a", begin) as port, pytest.raises(CertificateUnavailable, match=told):
        Certificates(f"http://127.0.0.1:{port}").get(ADDRESS)
