"""The mail sink, against a server that behaves, and against servers that do not."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult

from errors import FreeholdError
from sandbox.processes.certificates import Authority
from services.notifier.message import CONSOLE
from services.notifier.sinks import SinkFailed, SinkRefused
from services.notifier.sinks.mail import MailSink
from tests.services.notifier.catching import Answer
from tests.services.notifier.test_sinks import ALERT, LIMIT, SHORT


class _Mailbox:
    """An SMTP handler that keeps messages, and answers RCPT as told."""

    def __init__(self, rcpt: str = "250 OK", data: str = "250 OK") -> None:
        self.logins: list[tuple[bytes, bytes]] = []
        self.messages: list[tuple[str, list[str], Message]] = []
        self.encrypted: list[bool] = []
        self._rcpt, self._data = rcpt, data
        self.of_recipient: dict[str, str] = {}
        """What RCPT of one address answers in place of that."""

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        answer = self.of_recipient.get(address, self._rcpt)
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.messages.append((envelope.mail_from, envelope.rcpt_tos, message_from_bytes(envelope.content)))
        self.encrypted.append(session.ssl is not None)
        return self._data


@contextmanager
def _mail_server(
    mailbox: _Mailbox,
    tls_context: ssl.SSLContext | None = None,
    *,
    authenticated: bool = False,
    encrypted_at_once: bool = False,
) -> Iterator[int]:
    """The port of a server that runs until the end; it wants a login where `authenticated`, and takes any."""
    loop = asyncio.new_event_loop()

    def taken(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        mailbox.logins.append((data.login, data.password))
        return AuthResult(success=True)

    listening = loop.create_server(
        lambda: SMTP(
            mailbox,
            hostname="tests",
            tls_context=None if encrypted_at_once else tls_context,
            auth_required=authenticated,
            auth_require_tls=not encrypted_at_once,
            authenticator=taken,
            loop=loop,
        ),
        "127.0.0.1",
        0,
        ssl=tls_context if encrypted_at_once else None,
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


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # which it has by then
def test_mail_goes_encrypted_from_the_first_byte_where_that_was_chosen(certificates: Authority) -> None:
    mailbox = _Mailbox()
    with _mail_server(mailbox, _server_context(certificates), authenticated=True, encrypted_at_once=True) as port:
        authority = certificates.certificate_path
        _mail(port, encryption="tls", authority=authority, username="u", password="p").send(ALERT)
    assert (mailbox.logins, len(mailbox.messages)) == ([(b"u", b"p")], 1)


def test_mail_is_whole_and_the_same_each_time() -> None:
    mailbox = _Mailbox()
    with _mail_server(mailbox) as port:
        for _ in range(2):
            _mail(port, encryption="offered").send(ALERT)
    (sender, recipients, message), (_, _, again) = mailbox.messages
    assert (sender, recipients) == ("alerts@freehold.example", ["ops@example.com", "cfo@example.com"])
    told = {name: message[name] for name in ("From", "To", "Date", "Message-ID", "Auto-Submitted")}
    assert told == {
        "From": "alerts@freehold.example",
        "To": "ops@example.com, cfo@example.com",
        "Date": "Fri, 20 Nov 2026 10:00:00 +0000",
        "Message-ID": f"<alert-{ALERT.id}@freehold.example>",
        # Out-of-office robots leave it alone.
        "Auto-Submitted": "auto-generated",
    }
    assert " ".join(message["Subject"].split()) == ALERT.title
    assert str(message.get_payload()).splitlines() == [
        "Budget: prod & <staging>",
        "Account: 123456789012",
        "Period: 2026-11",
        "Budgeted: $290.00",
        "Threshold: ACTUAL > $275.50",
        "Amount: $278.40",
        "",
        CONSOLE,
    ]
    assert again.as_bytes() == message.as_bytes()


def test_what_was_taken_is_not_sent_again_for_want_of_a_good_bye() -> None:
    class Curt(_Mailbox):
        async def handle_QUIT(self, server: Any, session: Any, envelope: Any) -> str:
            server.transport.abort()
            return "221 bye"

    mailbox = Curt()
    with _mail_server(mailbox) as port:
        _mail(port, encryption="offered").send(ALERT)
    assert len(mailbox.messages) == 1


def test_mail_goes_in_clear_only_where_that_was_chosen() -> None:
    mailbox = _Mailbox()
    with _mail_server(mailbox) as port:
        with pytest.raises(SinkRefused, match="no encryption"):
            _mail(port).send(ALERT)
        assert mailbox.messages == []
        _mail(port, encryption="offered").send(ALERT)
    assert mailbox.encrypted == [False]


@pytest.mark.parametrize("encryption", ["starttls", "offered", "tls"])
def test_a_mail_server_with_a_strange_certificate_is_refused(
    certificates: Authority, tmp_path: Path, encryption: str
) -> None:
    other = Authority(tmp_path, "another")
    mailbox = _Mailbox()
    with (
        _mail_server(mailbox, _server_context(certificates), encrypted_at_once=encryption == "tls") as port,
        pytest.raises(SinkRefused, match="certificate"),
    ):
        _mail(port, encryption=encryption, authority=other.certificate_path).send(ALERT)
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
        with pytest.raises(SinkFailed) as failed:
            _mail(server.getsockname()[1], SHORT, encryption="offered").send(ALERT)
        released.set()
        thread.join()
    assert not isinstance(failed.value, SinkRefused)
