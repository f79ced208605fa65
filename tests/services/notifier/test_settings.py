"""What the notifier refuses to start with, in one line that holds no secret."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from errors import FreeholdError
from fleet.connection_limits import TCP_LIMITS
from services.login import Login
from services.notifier import database, settings
from services.notifier.settings import Settings, read, read_sinks

GOOD = {
    "NOTIFIER_QUEUE_URL": "https://sqs/queue",
    "NOTIFIER_DEAD_LETTER_QUEUE_URL": "https://sqs/dead",
    "NOTIFIER_TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:alerts",
    "NOTIFIER_DATABASE_SECRET": "arn:of:the-database",
    "NOTIFIER_SINKS_SECRET": "arn:of:the-sinks",
    "AWS_REGION": "us-east-1",
    "PGSSLROOTCERT": "/ca.pem",
}
LOGIN = {"host": "db", "port": 5432, "database": "control", "username": "u", "password": "pass-word"}


def sinks(monkeypatch: pytest.MonkeyPatch, record: Mapping[str, Any]) -> Any:
    monkeypatch.setattr(settings, "read_secret", lambda *_: record)
    return read_sinks(read(GOOD), GOOD)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({}, "nobody would be told: name at least one"),
        ({"slack": {"url": ""}}, r"slack\.url: "),
        ({"slack": {"url": "hush", "channel": "hush"}}, r"slack\.channel: Extra inputs"),
        ({"webhook": {"url": "hush", "secrets": []}}, r"webhook\.secrets: "),
        ({"webhook": {"url": "hush", "secrets": ["hush"] * 4}}, r"webhook\.secrets: "),
        ({"mail": {"host": "hush", "sender": "hush", "recipients": ["a@b"]}}, r"mail\.sender: "),
        ({"mail": {"host": "hush", "sender": "a@b", "recipients": []}}, r"mail\.recipients: "),
    ],
)
def test_sinks_that_could_not_be_sent_to(monkeypatch: pytest.MonkeyPatch, record: Mapping[str, Any], said: str) -> None:
    with pytest.raises(FreeholdError, match=f"^arn:of:the-sinks: .*{said}") as refused:
        sinks(monkeypatch, record)
    assert "hush" not in refused.value.line() and "\n" not in refused.value.line()


def test_what_is_secret_of_a_sink_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    webhook = {"url": "https://example.com/hush", "secrets": ["whsec_hush"]}
    made = sinks(monkeypatch, {"slack": {"url": "https://hooks.example.com/hush"}, "webhook": webhook})
    assert "hush" not in repr(made)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NOTIFIER_TOPIC_ARN", "alerts"),
        ("NOTIFIER_LIMIT_SECONDS", "0"),
        ("NOTIFIER_LIMIT_SECONDS", "121"),
        ("NOTIFIER_ATTEMPTS", "0"),
        ("NOTIFIER_BACKOFF_SECONDS", "0"),
        ("PORT", "65536"),
    ],
)
def test_a_variable_that_is_wrong_is_named(name: str, value: str) -> None:
    with pytest.raises(FreeholdError, match=f"^{name}: "):
        read({**GOOD, name: value})


def address(monkeypatch: pytest.MonkeyPatch, told: Settings, record: Mapping[str, Any] = LOGIN) -> sa.URL:
    monkeypatch.setattr(database, "read_secret", lambda *_: record)
    return database._url(told, GOOD)


def test_the_database_s_server_is_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    found = address(monkeypatch, read(GOOD))
    assert (found.query["sslmode"], found.query["sslrootcert"]) == ("verify-full", str(Path("/ca.pem")))
    assert found.query["connect_timeout"] == "5"
    with pytest.raises(FreeholdError, match=r"^PGSSLROOTCERT: it is not set: the server could not be verified"):
        address(monkeypatch, read({name: value for name, value in GOOD.items() if name != "PGSSLROOTCERT"}))


@pytest.mark.parametrize("wrong", [{}, {**LOGIN, "port": "pass-word"}])
def test_a_record_that_is_no_login_is_one_line(monkeypatch: pytest.MonkeyPatch, wrong: Mapping[str, Any]) -> None:
    with pytest.raises(FreeholdError, match=r"^arn:of:the-database: it is no record of a database"):
        address(monkeypatch, read(GOOD), wrong)


class _Looked(Exception):
    pass


def test_each_connection_is_bounded_and_what_a_row_holds_is_in_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def connect(*_: object, **arguments: Any) -> None:
        asked.update(arguments)
        raise _Looked

    made = database.engine(Login(lambda: address(monkeypatch, read(GOOD))))
    monkeypatch.setattr(made.dialect, "connect", connect)
    with pytest.raises(_Looked):
        made.connect()
    assert {name: asked[name] for name in TCP_LIMITS} == TCP_LIMITS
    assert asked["options"] == "-c statement_timeout=10000"
    assert made.hide_parameters
