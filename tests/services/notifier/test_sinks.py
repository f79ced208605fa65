"""The sinks, each against a server that behaves, and against servers that do not."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import socket
import ssl
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP

from errors import FreeholdError
from sandbox.processes.certificates import Authority
from services.notifier.alerts import Alert
from services.notifier.sinks import Sink, SinkFailed, SinkRefused
from services.notifier.sinks.mail import MailSink
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


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_AAAA", "whsec_no base64", "short"])
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
    assert [block["type"] for block in message["blocks"]] == ["header", "section", "context"]
    assert {"type": "mrkdwn", "text": "*Spent*\n$278.40"} in message["blocks"][1]["fields"]


@pytest.mark.parametrize("make", [_webhook, _slack])
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (500, "answered 500"),
        (503, "answered 503"),
        (429, "answered 429"),
        (408, "answered 408"),
        (423, "answered 423"),
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
@pytest.mark.parametrize("status", [301, 307, 400, 401, 403, 404, 410])
def test_what_will_not_pass_is_a_refusal(make: Any, status: int) -> None:
    with catcher((status, {"Location": "/elsewhere"})) as caught, pytest.raises(SinkRefused, match=str(status)):
        make(caught.url).send(ALERT)
    assert [one.path for one in caught.caught] == ["/alerts"]


@pytest.mark.parametrize(
    ("header", "wait"), [("7", 7.0), ("999999", 3600.0), ("-1", 0.0), ("soon", None), ("nan", None), ("inf", None)]
)
def test_a_sink_may_say_when_to_come_again(header: str, wait: float | None) -> None:
    with catcher((429, {"Retry-After": header})) as caught, pytest.raises(SinkFailed) as failed:
        _slack(caught.url).send(ALERT)
    assert failed.value.retry_after == wait


@pytest.mark.parametrize("make", [_webhook, _slack])
def test_a_refused_connection_is_a_failure_that_tells_no_address(make: Any) -> None:
    with refusing_port() as port, pytest.raises(SinkFailed) as failed:
        make(f"http://127.0.0.1:{port}/secret").send(ALERT)
    assert str(failed.value) == "ConnectError"


@pytest.mark.parametrize("url", ["", "no address", "ftp://127.0.0.1/x"])
def test_an_address_that_is_none_is_a_refusal(url: str) -> None:
    with pytest.raises(SinkRefused, match="address"):
        _slack(url).send(ALERT)


class _Mailbox:
    """An SMTP handler that keeps messages, and answers RCPT as told."""

    def __init__(self, rcpt: str = "250 OK", data: str = "250 OK") -> None:
        self.messages: list[tuple[str, list[str], Message]] = []
        self.encrypted: list[bool] = []
        self._rcpt, self._data = rcpt, data

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if self._rcpt.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self._rcpt

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.messages.append((envelope.mail_from, envelope.rcpt_tos, message_from_bytes(envelope.content)))
        self.encrypted.append(session.ssl is not None)
        return self._data


@contextmanager
def _mail_server(
    mailbox: _Mailbox, tls_context: ssl.SSLContext | None = None, *, authenticated: bool = False
) -> Iterator[int]:
    """The port of a server that runs until the end; it wants a login where `authenticated`, and takes none."""
    loop = asyncio.new_event_loop()
    listening = loop.create_server(
        lambda: SMTP(mailbox, hostname="tests", tls_context=tls_context, auth_required=authenticated, loop=loop),
        "127.0.0.1",
        0,
    )
    server = loop.run_until_complete(listening)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(_ended(loop))
        loop.close()


async def _ended(loop: asyncio.AbstractEventLoop) -> None:
    left = asyncio.all_tasks(loop) - {asyncio.current_task(loop)}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


def _mail(port: int, limit: float = LIMIT, **options: Any) -> MailSink:
    return MailSink(
        "127.0.0.1", port, "alerts@freehold.example", ("ops@example.com", "cfo@example.com"), limit, **options
    )


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "tests")


def _server_context(authority: Authority) -> ssl.SSLContext:
    pair = authority.server("smtp")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)
    return context


def test_mail_goes_encrypted_where_that_is_offered(certificates: Authority) -> None:
    mailbox = _Mailbox()
    with _mail_server(mailbox, tls_context=_server_context(certificates)) as port:
        _mail(port, encryption="offered", authority=certificates.certificate_path).send(ALERT)
        _mail(port, encryption="starttls", authority=certificates.certificate_path).send(ALERT)
    assert mailbox.encrypted == [True, True]
    sender, recipients, message = mailbox.messages[0]
    assert (sender, recipients) == ("alerts@freehold.example", ["ops@example.com", "cfo@example.com"])
    assert message["Message-ID"] == f"<alert-{ALERT.id}@freehold.example>"
    assert "$278.40 was spent" in message["Subject"]


def test_mail_goes_in_clear_only_where_that_was_chosen() -> None:
    mailbox = _Mailbox()
    with _mail_server(mailbox) as port:
        with pytest.raises(SinkRefused, match="no encryption"):
            _mail(port).send(ALERT)
        assert mailbox.messages == []
        _mail(port, encryption="offered").send(ALERT)
    assert mailbox.encrypted == [False]


def test_a_mail_server_with_a_strange_certificate_is_refused(certificates: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path, "another")
    mailbox = _Mailbox()
    with (
        _mail_server(mailbox, tls_context=_server_context(certificates)) as port,
        pytest.raises(SinkRefused, match="certificate"),
    ):
        _mail(port, authority=other.certificate_path).send(ALERT)
    assert mailbox.messages == []


def test_a_password_is_never_sent_in_clear() -> None:
    with pytest.raises(FreeholdError, match="in clear"):
        _mail(25, encryption="offered", username="u", password="p")


def test_a_password_that_smtp_cannot_carry_is_a_refusal(certificates: Authority) -> None:
    mailbox = _Mailbox()
    with (
        _mail_server(mailbox, _server_context(certificates), authenticated=True) as port,
        pytest.raises(SinkRefused, match="user name or password is not ASCII"),
    ):
        _mail(port, authority=certificates.certificate_path, username="u", password="pässword").send(ALERT)
    assert mailbox.messages == []


@pytest.mark.parametrize(
    ("mailbox", "kind"),
    [
        (_Mailbox(rcpt="550 no such user"), SinkRefused),
        (_Mailbox(data="554 no"), SinkRefused),
        (_Mailbox(data="500 what"), SinkRefused),
        (_Mailbox(rcpt="451 later"), SinkFailed),
        (_Mailbox(data="452 full"), SinkFailed),
    ],
    ids=["no such user", "message refused", "not understood", "try later", "full"],
)
def test_what_a_mail_server_refuses(mailbox: _Mailbox, kind: type[SinkFailed]) -> None:
    with _mail_server(mailbox) as port, pytest.raises(SinkFailed) as failed:
        _mail(port, encryption="offered").send(ALERT)
    assert type(failed.value) is kind


def test_some_recipients_that_are_refused_are_told_and_the_others_get_it_once() -> None:
    class Half(_Mailbox):
        async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
            if address.startswith("cfo@"):
                return "550 no such user"
            return await super().handle_RCPT(server, session, envelope, address, options)

    mailbox = Half()
    with _mail_server(mailbox) as port, pytest.raises(SinkRefused, match="1 of 2 recipients were refused"):
        _mail(port, encryption="offered").send(ALERT)
    assert [recipients for _, recipients, _ in mailbox.messages] == [["ops@example.com"]]


@pytest.mark.parametrize("answer", ["hang", "drip"])
def test_a_mail_server_that_never_says_hello_is_left(answer: Answer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        released = threading.Event()

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                try:
                    while not released.wait(0.02):
                        if answer == "drip":
                            connection.sendall(b"2")
                except OSError:
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(SinkFailed):
            _mail(server.getsockname()[1], SHORT, encryption="offered").send(ALERT)
        released.set()
        thread.join()
