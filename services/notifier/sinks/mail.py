"""E-mail over SMTP, encrypted wherever the server offers it, and never with a password where it does not.

`Message-ID` is the same however often an alert is sent: most mail programs show a repetition once.
"""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

from errors import FreeholdError
from services.notifier.alerts import Alert
from services.notifier.message import CONSOLE
from services.notifier.sinks import SinkFailed, SinkRefused

_CUT_AGAIN_SECONDS = 0.1


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

    def __post_init__(self) -> None:
        if self.password is not None and self.encryption == "offered":
            raise FreeholdError(
                "a password would go in clear where the server offers no encryption",
                where="sink mail",
                mend="set encryption to starttls or tls",
            )

    def send(self, alert: Alert) -> None:
        try:
            with self._connected() as server:
                if self.username is not None and self.password is not None:
                    self._log_in(server, self.username, self.password)
                refused = server.send_message(self._message(alert), self.sender, list(self.recipients))
        except smtplib.SMTPNotSupportedError:
            raise SinkRefused("the server offers no encryption, or no login") from None
        except smtplib.SMTPRecipientsRefused as error:
            # Nobody has it yet: one who may take it later is worth another attempt, whatever the others are.
            raise _answered(min(code for code, _ in error.recipients.values())) from None
        except smtplib.SMTPResponseException as error:
            raise _answered(error.smtp_code) from None
        except ssl.SSLCertVerificationError:
            raise SinkRefused("the server's certificate is not to be trusted") from None
        except (OSError, smtplib.SMTPException) as error:
            raise SinkFailed(f"{type(error).__name__} within {self.limit_seconds:g} s") from None
        if refused:
            # The others have it: to send it again would be to them as well.
            raise SinkRefused(f"{len(refused)} of {len(self.recipients)} recipients were refused")

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        context = ssl.create_default_context(cafile=self.authority)
        server: smtplib.SMTP
        if self.encryption == "tls":
            server = smtplib.SMTP_SSL(timeout=self.limit_seconds, context=context)
        else:
            server = smtplib.SMTP(timeout=self.limit_seconds)
        # What the certificate must be of: smtplib takes it from its constructor alone, which would connect at once.
        vars(server)["_host"] = self.host
        # smtplib's limit is for each read: a server that answers byte by byte is cut off by this one.
        ended = threading.Event()
        threading.Thread(target=_cut_off, args=(server, ended, self.limit_seconds), daemon=True).start()
        try:
            server.connect(self.host, self.port)
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


def _cut_off(server: smtplib.SMTP, ended: threading.Event, limit_seconds: float) -> None:
    wait = limit_seconds
    while not ended.wait(wait):
        # Again and again: while it connects or agrees on encryption there is nothing yet that could be cut.
        wait = _CUT_AGAIN_SECONDS
        connection = getattr(server, "sock", None)
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
