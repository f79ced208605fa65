"""The notifier's way into the control database: limits of time, and a login that is replaced while it runs."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping

import pytest
import sqlalchemy as sa

from errors import FreeholdError
from fleet.connection_limits import TCP_LIMITS
from services.login import Login
from services.notifier.database import database, engine
from services.notifier.settings import Settings
from tests.services.notifier.line import REGION, Line
from tests.tcp_limits import tcp_limits

pytestmark = pytest.mark.sandbox


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Secret:
    """The login as the secret manager has it; `away` is when that does not answer."""

    def __init__(self, url: sa.URL) -> None:
        self.url, self.away, self.reads = url, False, 0

    def __call__(self) -> sa.URL:
        self.reads += 1
        if self.away:
            raise FreeholdError("no answer")
        return self.url


def replace_password(line: Line) -> sa.URL:
    """The role has another one from now on, and whoever is connected is thrown out. Returns the new way in."""
    password = uuid.uuid4().hex
    with line.administrator.begin() as connection:
        connection.exec_driver_sql(f"ALTER ROLE {line.url.username} PASSWORD '{password}'")
        connection.execute(
            sa.text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = :name"),
            {"name": line.url.username},
        )
    return line.url.set(password=password)


def who(engine: sa.Engine) -> object:
    with engine.connect() as connection:
        return connection.scalar(sa.text("SELECT current_user"))


def record(url: sa.URL) -> Mapping[str, object]:
    return {
        "host": url.host,
        "port": url.port,
        "database": url.database,
        "username": url.username,
        "password": url.password,
    }


def test_as_it_is_opened_no_statement_waits_for_ever_and_no_message_tells_what_a_row_holds(line: Line) -> None:
    secrets = line.aws("secretsmanager")
    made = secrets.create_secret(Name=uuid.uuid4().hex, SecretString=json.dumps(record(line.url)))
    settings = Settings.model_validate(
        {
            "queue_url": line.queue,
            "dead_letter_queue_url": line.dead_letters,
            "topic_arn": line.topic,
            "database_secret": made["ARN"],
            "sinks_secret": made["ARN"],
            "region": REGION,
            "authority": line.url.query["sslrootcert"],
        }
    )
    opened = database(settings, line.environment)
    assert tcp_limits(opened) == TCP_LIMITS
    with opened.connect() as connection:
        assert connection.scalar(sa.text("SHOW statement_timeout")) == "10s"
        with pytest.raises(sa.exc.ProgrammingError) as failed:
            connection.execute(sa.text("SELECT :value FROM nowhere"), {"value": "of a customer"})
    assert "of a customer" not in str(failed.value)
    opened.dispose()


def test_a_login_that_was_replaced_is_found(line: Line) -> None:
    secret, clock = Secret(line.url), Clock()
    opened = engine(Login(secret, clock))
    assert who(opened) == line.url.username
    secret.url = replace_password(line)
    clock.now += 60
    assert who(opened) == line.url.username
    opened.dispose()
    assert who(opened) == line.url.username
    assert secret.reads == 2
    opened.dispose()


def test_the_secret_manager_is_not_asked_each_time_and_may_be_away(line: Line) -> None:
    secret, clock = Secret(line.url), Clock()
    opened = engine(Login(secret, clock))
    right = replace_password(line)
    clock.now += 60
    for _ in range(3):
        # The role has a new password, the secret has not.
        with pytest.raises(sa.exc.OperationalError, match="authentication failed"):
            who(opened)
    assert secret.reads == 2
    secret.url, secret.away = right, True
    clock.now += 60
    with pytest.raises(sa.exc.OperationalError, match="authentication failed"):
        who(opened)
    secret.away = False
    clock.now += 60
    assert who(opened) == line.url.username
    assert secret.reads == 4
    opened.dispose()


def test_a_connection_to_a_server_that_another_took_over_from_is_left(line: Line) -> None:
    """It answers a ping, so nothing else would end it. https://www.postgresql.org/docs/current/hot-standby.html"""
    opened = engine(Login(lambda: line.url))
    write = sa.text("UPDATE budget_alerts SET repeats = 0")
    with opened.connect() as connection:
        connection.exec_driver_sql("SET default_transaction_read_only = on")
        connection.commit()
    with pytest.raises(sa.exc.InternalError, match="read-only transaction"), opened.begin() as connection:
        connection.execute(write)
    with opened.begin() as connection:
        connection.execute(write)
    opened.dispose()
