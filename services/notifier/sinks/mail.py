"""E-mail over SMTP, encrypted wherever the server offers it, and never with a password where it does not.

`Message-ID` is the same however often an alert is sent: most mail programs show a repetition once.
"""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

from errors import FreeholdError
from services.notifier.alerts import Alert
from services.notifier.message import CONSOLE
from services.notifier.sinks import SinkFailed, SinkRefused
from services.notifier.sinks.resolving import addresses

_CUT_AGAIN_SECONDS = 0.1
_TOO_MANY = 552
"""Of a recipient it may mean too many at once, and passes: https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.10"""
_BROKEN_OFF = 421
_NAMELESS = "localhost"
"""Until it is connected: smtplib would look up this machine's name, without a limit of time."""
_REMEMBERED = 1000
"""Alerts that some of the recipients have: far more than are under way at once."""


@dataclass
class _Told:
    """How far one alert has come with its recipients."""

    have: set[str] = field(default_factory=set)
    refused: dict[str, int] = field(default_factory=dict)
    """For good, and what the server answered."""

    def left(self, recipients: Sequence[str]) -> list[str]:
        return [one for one in dict.fromkeys(recipients) if one not in self.have and one not in self.refused]

    def sentence(self, put_off: Mapping[str, int], of: int) -> str:
        answers = {**self.refused, **put_off}
        each = ", ".join(f"{one} (answered {code})" for one, code in sorted(answers.items()))
        return f"{len(self.have)} of {of} recipients have it" + (f"; refused: {each}" if each else "")


@dataclass(frozen=True)
class MailSink:
    host: str
    port: int
    sender: str
    recipients: tuple[str, ...]
    limit_seconds: float
    username: str | None = None
    password: str | None = None
    encryption: str = "starttls"
    """`tls` from the first byte, `starttls` (required), or `offered`: where the server offers it."""
    authority: Path | None = None
    """Who signs the server's certificate, where it is none of the known authorities."""
    name: str = "mail"
    _told: dict[uuid.UUID, _Told] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.password is not None and self.encryption == "offered":
            raise FreeholdError(
                "a password would go in clear where the server offers no encryption",
                where="sink mail",
                mend="set encryption to starttls or tls",
            )

    def send(self, alert: Alert) -> None:
        """To those who neither have it yet nor were refused for good, as a mail server does: each has an answer of its
        own. A restart in between costs those who have it a repetition."""
        told = self._told.setdefault(alert.id, _Told())
        if len(self._told) > _REMEMBERED:
            del self._told[next(iter(self._told))]  # the oldest
        recipients = told.left(self.recipients)
        try:
            refused = self._hand_over(alert, recipients) if recipients else {}
        except SinkFailed as error:
            if told.have or told.refused:
                raise type(error)(f"{error}; {told.sentence({}, len(self.recipients))}") from None
            raise
        told.have |= set(recipients) - refused.keys()
        put_off = {one: code for one, code in refused.items() if code < 500 or code == _TOO_MANY}
        told.refused |= {one: code for one, code in refused.items() if one not in put_off}
        if put_off:
            raise SinkFailed(told.sentence(put_off, len(self.recipients)))
        if told.refused:
            raise SinkRefused(told.sentence({}, len(self.recipients)))
        del self._told[alert.id]

    def _hand_over(self, alert: Alert, recipients: Sequence[str]) -> Mapping[str, int]:
        """Who of them was refused, and by which answer; the others have it. Raises SinkFailed, and then none has."""
        try:
            with self._connected() as server:
                if self.username is not None and self.password is not None:
                    self._log_in(server, self.username, self.password)
                try:
                    refused = server.send_message(self._message(alert), self.sender, recipients)
                except smtplib.SMTPRecipientsRefused as error:
                    # Whom it had not come to when the server broke off may be asked again.
                    refused = {**dict.fromkeys(recipients, (_BROKEN_OFF, b"")), **error.recipients}
        except smtplib.SMTPNotSupportedError:
            raise SinkRefused("the server offers no encryption, or no login") from None
        except smtplib.SMTPResponseException as error:
            raise _answered(error.smtp_code) from None
        except ssl.SSLCertVerificationError:
            raise SinkRefused("the server's certificate is not to be trusted") from None
        except (OSError, smtplib.SMTPException) as error:
            raise SinkFailed(f"{type(error).__name__} within {self.limit_seconds:g} s") from None
        return {one: code for one, (code, _) in refused.items()}

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        deadline = time.monotonic() + self.limit_seconds
        context = ssl.create_default_context(cafile=self.authority)
        found = addresses(self.host, self.port, self.limit_seconds)
        server: smtplib.SMTP
        if self.encryption == "tls":
            server = smtplib.SMTP_SSL(local_hostname=_NAMELESS, timeout=self.limit_seconds, context=context)
        else:
            server = smtplib.SMTP(local_hostname=_NAMELESS, timeout=self.limit_seconds)
        # What the certificate must be of: smtplib takes it from its constructor alone, which would connect at once.
        vars(server)["_host"] = self.host
        # smtplib's limit is for each read: a server that answers byte by byte is cut off by this one.
        ended = threading.Event()
        left = max(deadline - time.monotonic(), 0.0)
        threading.Thread(target=_cut_off, args=(server, ended, left), daemon=True).start()
        try:
            self._connect(server, found, deadline)
            if self.encryption == "starttls":
                server.starttls(context=context)
            elif self.encryption == "offered":
                server.ehlo()
                if server.has_extn("starttls"):
                    server.starttls(context=context)
            yield server
            # It has been taken: how the server says good-bye changes nothing.
            with contextlib.suppress(OSError, smtplib.SMTPException):
                server.quit()
        finally:
            ended.set()
            server.close()

    def _connect(self, server: smtplib.SMTP, addresses: Sequence[str], deadline: float) -> None:
        """To the first of them that answers."""
        failure: OSError = TimeoutError()
        for address in addresses:
            if (left := deadline - time.monotonic()) <= 0:
                break
            server.timeout = left
            try:
                server.connect(address, self.port)
            except ssl.SSLCertVerificationError:
                raise
            except OSError as error:
                failure = error
            else:
                if (connection := server.sock) is not None:
                    server.local_hostname = _literal(connection.getsockname()[0])
                return
        raise failure

    def _log_in(self, server: smtplib.SMTP, username: str, password: str) -> None:
        try:
            server.login(username, password)
        except UnicodeError:
            raise SinkRefused("its user name or password is not ASCII") from None

    def _message(self, alert: Alert) -> EmailMessage:
        message = EmailMessage()
        # A budget's name may hold what ends a line, which a header refuses.
        message["Subject"] = " ".join(alert.title.split())
        message["From"] = self.sender
        message["To"] = ", ".join(self.recipients)
        message["Date"] = format_datetime(alert.received_at)
        # Nobody reads an answer: https://www.rfc-editor.org/rfc/rfc3834#section-5
        message["Auto-Submitted"] = "auto-generated"
        message["Message-ID"] = f"<alert-{alert.id}@{self.sender.rpartition('@')[2]}>"
        lines = {
            "Budget": alert.budget,
            "Account": alert.account,
            "Period": alert.period,
            "Budgeted": alert.budgeted,
            "Threshold": f"{alert.type} {alert.threshold}",
            "Amount": alert.spent,
        }
        message.set_content("\n".join(f"{name}: {value}" for name, value in lines.items()) + f"\n\n{CONSOLE}\n")
        return message


def _answered(code: int) -> SinkFailed:
    """https://www.rfc-editor.org/rfc/rfc5321#section-4.2.1: 4yz passes, 5yz does not."""
    return SinkRefused(f"answered {code}") if code >= 500 else SinkFailed(f"answered {code}")


def _literal(address: str) -> str:
    """Who we are, to a mail server: a pod has no name there. https://www.rfc-editor.org/rfc/rfc5321#section-4.1.3"""
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _cut_off(server: smtplib.SMTP, ended: threading.Event, limit_seconds: float) -> None:
    wait = limit_seconds
    while not ended.wait(wait):
        # Again and again: while it connects or agrees on encryption there is nothing yet that could be cut.
        wait = _CUT_AGAIN_SECONDS
        connection = getattr(server, "sock", None)
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
