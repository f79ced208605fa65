"""What the webhook refuses to start with, and that it says so in one line without secrets."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
import sqlalchemy as sa
from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError

from errors import UsageError
from fleet.connection_limits import TCP_LIMITS
from sandbox.home import CHECKOUT
from services.billing import settings
from tests.tcp_limits import tcp_limits

GOOD = {
    "STRIPE_WEBHOOK_SECRET": "whsec_0123456789abcdef",
    "DATABASE_URL": "postgresql://freehold:pass-word@localhost:5432/control",
    "FREEHOLD_PRODUCT": "chronos-cloud",
    "STRIPE_LIVEMODE": "false",
}


def no_secret(reference: str) -> str:
    raise AssertionError(reference)


def test_good_ones() -> None:
    told = settings.read(GOOD, no_secret)
    assert told.secrets == (b"whsec_0123456789abcdef",)
    assert (told.blueprint.name, told.livemode, told.port) == ("chronos-cloud", False, 8080)
    assert told.login.url.drivername == "postgresql+psycopg"
    assert "pass-word" not in repr(told)
    assert "0123456789abcdef" not in repr(told)


@pytest.mark.parametrize(
    "text", ["whsec_0123456789abcdef,whsec_fedcba9876543210", " whsec_0123456789abcdef\nwhsec_fedcba9876543210\n"]
)
def test_several_secrets(text: str) -> None:
    assert len(settings.read({**GOOD, "STRIPE_WEBHOOK_SECRET": text}, no_secret).secrets) == 2


def test_from_the_secret_manager() -> None:
    kept = {
        "signing": "whsec_aaaaaaaaaaaaaaaa",
        "database": '{"host": "db", "port": 5432, "database": "control", "username": "u", "password": "p@:/"}',
    }
    environment = {
        "STRIPE_WEBHOOK_SECRET_ARN": "signing", "DATABASE_SECRET_ARN": "database", "PGSSLROOTCERT": "/ca.pem",
        "FREEHOLD_PRODUCT": "chronos-cloud", "STRIPE_LIVEMODE": "true",
    }  # fmt: skip
    told = settings.read(environment, kept.__getitem__)
    assert told.secrets == (b"whsec_aaaaaaaaaaaaaaaa",)
    assert told.livemode
    assert (told.login.url.password, told.login.url.query["sslmode"]) == ("p@:/", "verify-full")


@pytest.mark.parametrize(
    "record", ["hunter2", '["hunter2"]', "null", '{"password": "hunter2"}', '{"host": "h", "port": "hunter2"}']
)
def test_a_secret_that_is_no_login_is_one_line_that_does_not_show_it(record: str) -> None:
    environment = {**GOOD, "DATABASE_SECRET_ARN": "arn:database", "PGSSLROOTCERT": "/ca.pem"}
    with pytest.raises(UsageError) as refused:
        settings.read(environment, lambda reference: record)
    assert refused.value.line() == (
        "arn:database: it is no JSON object with host, port, database, username and password; "
        "`./freehold up` of the cell writes it"
    )


def test_the_secret_manager_has_less_time_than_the_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two secrets that come at the last moment leave of its 20 seconds some for the event."""
    asked: list[Config] = []

    def client(session: object, service: str, *, region_name: str, config: Config) -> object:
        asked.append(config)
        raise EndpointConnectionError(endpoint_url=region_name)

    monkeypatch.setattr(Session, "client", client)
    with pytest.raises(UsageError, match="EndpointConnectionError: it cannot be read"):
        settings.read_aws_secret("arn:aws:secretsmanager:us-east-1:123456789012:secret:name")
    (config,) = asked
    attempt = config.connect_timeout + config.read_timeout
    assert 2 * config.retries["total_max_attempts"] * attempt <= 16


def test_a_secret_of_sixteen_characters_is_long_enough() -> None:
    assert settings.read({**GOOD, "STRIPE_WEBHOOK_SECRET": "0123456789abcdef"}, no_secret).secrets
    with pytest.raises(UsageError, match="is shorter than 16"):
        settings.read({**GOOD, "STRIPE_WEBHOOK_SECRET": "0123456789abcde"}, no_secret)


class _Looked(Exception):
    pass


def test_what_is_answered_is_on_disk_and_what_stripe_sent_is_in_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = settings.read(GOOD, no_secret).engine(connections=1)
    assert engine.hide_parameters
    # AWS' network forgets a connection that was silent for 350 seconds, and Lambda stops the process that long.
    assert 0 < engine.pool._recycle < 350
    asked: dict[str, Any] = {}

    def look(**parameters: Any) -> None:
        asked.update(parameters)
        raise _Looked

    monkeypatch.setattr(engine.dialect, "connect", look)
    with pytest.raises(_Looked):
        engine.connect()
    assert "-c synchronous_commit=on" in asked["options"]
    assert "-c statement_timeout=5000" in asked["options"] and "-c lock_timeout=3000" in asked["options"]
    assert asked["connect_timeout"] == 5


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("STRIPE_WEBHOOK_SECRET", "", "there is no signing secret"),
        ("STRIPE_WEBHOOK_SECRET", " , ,", "there is no signing secret"),
        ("STRIPE_WEBHOOK_SECRET", "whsec_0123456789abcdef,short", "signing secret 2 of 2 is shorter than"),
        ("DATABASE_URL", "", "DATABASE_URL is missing"),
        ("DATABASE_URL", "pass-word", "DATABASE_URL is missing"),
        ("FREEHOLD_PRODUCT", "nothing", "there is no blueprint"),
        ("STRIPE_LIVEMODE", "", "neither true nor false"),
        ("STRIPE_LIVEMODE", "yes", "neither true nor false"),
        ("PORT", "-1", "no port"),
        ("PORT", "0", "no port"),
        ("PORT", "65536", "no port"),
        ("PORT", "http", "no port"),
    ],
)
def test_bad_ones(name: str, value: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        settings.read({**GOOD, name: value}, no_secret)
    assert "\n" not in caught.value.line()
    assert "pass-word" not in caught.value.line()


@pytest.mark.sandbox
def test_a_database_that_falls_silent_is_left(empty_database: sa.URL) -> None:
    address = empty_database.render_as_string(hide_password=False)
    engine = settings.read({**GOOD, "DATABASE_URL": address}, no_secret).engine(connections=1)
    assert tcp_limits(engine) == TCP_LIMITS
    engine.dispose()


def test_the_process_ends_with_one_line_and_2() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "services.billing"],
        cwd=CHECKOUT,
        env={"PATH": os.defpath, **GOOD, "STRIPE_WEBHOOK_SECRET": ""},
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stdout, len(run.stderr.splitlines())) == (2, "", 1)
    assert run.stderr.startswith("billing webhook: there is no signing secret")


def test_a_service_never_imports_pulumi() -> None:
    program = (
        "import sys, services.billing.__main__, services.billing.lambda_entry; "
        "print(sorted(name for name in sys.modules if name.partition('.')[0] in {'pulumi', 'components', 'stacks'}))"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
