"""Mail with names that no header takes, and to servers that are slow in ways that no single time limit sees."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest

from services.notifier.sinks import SinkFailed
from tests.services.notifier.dripping import dripping
from tests.services.notifier.test_mail import _mail, _mail_server, _Mailbox
from tests.services.notifier.test_sinks import ALERT, SHORT


@pytest.mark.parametrize("separator", ["\u2028", "\x85", "\x1c", "\r"])
def test_a_name_that_would_end_a_header_is_one_line(separator: str) -> None:
    """AWS takes every character in a budget's name but a colon and a backslash."""
    mailbox = _Mailbox()
    with _mail_server(mailbox) as port:
        odd = ALERT.model_copy(update={"budget": f"prod{separator}Bcc= all"})
        _mail(port, encryption="offered").send(odd)
    assert str(mailbox.messages[0][2]["Subject"]).split()[:5] == ["Budget", "prod", "Bcc=", "all:", "$278.40"]


def test_a_server_that_is_slow_to_connect_to_and_then_slow_to_speak(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one of several addresses that do not answer, each of which has the whole limit."""
    connect = socket.create_connection

    def late(*arguments: Any, **options: Any) -> socket.socket:
        time.sleep(2 * SHORT)
        return connect(*arguments, **options)

    monkeypatch.setattr(socket, "create_connection", late)
    with dripping(b"2") as port, pytest.raises(SinkFailed):
        _mail(port, SHORT, encryption="offered").send(ALERT)
