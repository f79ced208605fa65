"""Sinks whose name the system's resolver hangs over."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox.home import CHECKOUT
from services.notifier.sinks import Sink, SinkFailed, SinkRefused
from services.notifier.sinks.mail import MailSink
from services.notifier.sinks.slack import SlackSink
from tests.services.notifier.catching import catcher
from tests.services.notifier.test_mail import _mail_server, _Mailbox
from tests.services.notifier.test_sinks import ALERT, LIMIT, SHORT

HANGS_SECONDS = 5.0


def _slack(limit: float) -> Sink:
    return SlackSink("https://hooks.example.com/secret", limit)


def _mail(limit: float) -> Sink:
    return MailSink("smtp.example.com", 25, "alerts@example.com", ("ops@example.com",), limit, encryption="offered")


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Look-ups hang until it is set, or for five seconds."""
    released = threading.Event()

    def hang(*_: object, **__: object) -> list[object]:
        released.wait(HANGS_SECONDS)
        raise socket.gaierror(socket.EAI_AGAIN, "later")

    for name in ("getaddrinfo", "getfqdn"):
        monkeypatch.setattr(socket, name, hang)
    yield released
    released.set()


@pytest.mark.parametrize("make", [_slack, _mail])
def test_a_look_up_is_within_the_time_limit(make: Callable[[float], Sink], hanging: threading.Event) -> None:
    began = time.monotonic()
    with pytest.raises(SinkFailed, match=r"within 0\.3 s") as failed:
        make(SHORT).send(ALERT)
    assert time.monotonic() - began < HANGS_SECONDS / 2
    assert not isinstance(failed.value, SinkRefused)


@pytest.mark.parametrize("make", [_slack, _mail])
def test_a_name_that_is_not_found_may_be_found_later(make: Callable[[float], Sink], hanging: threading.Event) -> None:
    hanging.set()
    with pytest.raises(SinkFailed, match=r"ConnectError|gaierror") as failed:
        make(LIMIT).send(ALERT)
    assert not isinstance(failed.value, SinkRefused)


def test_a_name_is_looked_up_and_all_its_addresses_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    look_up = socket.getaddrinfo

    def found(host: str | bytes, port: int, *arguments: Any, **options: Any) -> Any:
        if host not in (b"hooks.example.com", "hooks.example.com", "smtp.example.com"):
            return look_up(host, port, *arguments, **options)
        # Nobody listens at the first.
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in ("127.9.9.9", "127.0.0.1")]

    mailbox = _Mailbox()
    monkeypatch.setattr(socket, "getaddrinfo", found)
    with _mail_server(mailbox) as port, catcher() as caught:
        SlackSink(f"http://hooks.example.com:{caught.port}/alerts", LIMIT).send(ALERT)
        MailSink(
            "smtp.example.com", port, "alerts@example.com", ("ops@example.com",), LIMIT, encryption="offered"
        ).send(ALERT)
    assert caught.caught[0].headers["host"] == f"hooks.example.com:{caught.port}"
    assert len(mailbox.messages) == 1


_HANGING = """
import socket, time
socket.getaddrinfo = lambda *_, **__: time.sleep(60)
from services.notifier.sinks import SinkFailed
from tests.services.notifier.test_resolving import _mail, _slack, ALERT
for make in (_slack, _mail):
    try:
        make(0.3).send(ALERT)
    except SinkFailed as error:
        print(error)
"""


def test_the_process_ends_while_a_look_up_hangs() -> None:
    run = subprocess.run(
        [sys.executable, "-c", _HANGING], cwd=CHECKOUT, capture_output=True, text=True, timeout=30, check=True
    )
    assert run.stdout.splitlines() == ["no answer within 0.3 s", "TimeoutError within 0.3 s"]
