"""Secrets that are rotated while the webhook runs: it goes on with the new ones, and nobody starts it anew."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from prometheus_client import CollectorRegistry

from fleet.cloud import client
from sandbox.stripe_events import body_and_headers
from services import login, logs
from services.billing import settings
from services.billing.application import Application
from services.billing.running import Running
from tests import plain_http
from tests.rehearsal.freehold import until
from tests.services.billing import bench
from tests.services.billing.bench import SECRET, Books
from tests.services.billing.one_loop import Witness, stored_from_loop
from tests.services.billing.test_effects import CREATED, DOWNGRADED, UPGRADED
from tests.temporary_sandbox import Sandbox

pytestmark = pytest.mark.sandbox

_ROLLED = "whsec_the_one_after_it_was_rolled"


class Kept:
    """What the secret manager keeps, and who reads it in vain."""

    def __init__(self, url: sa.URL) -> None:
        self.url, self.signing, self.reads = url, SECRET, 0
        self.instead: str | None = None

    def __call__(self, reference: str) -> str:
        self.reads += 1
        if self.instead is not None:
            return self.instead
        return self.signing if reference == "signing" else record(self.url)


def record(url: sa.URL) -> str:
    return json.dumps(
        {
            "host": url.host,
            "port": url.port,
            "database": url.database,
            "username": url.username,
            "password": url.password,
        }
    )


def rotated(books: Books, url: sa.URL) -> sa.URL:
    """The role has another password from now on, and whoever is connected is thrown out. Returns the new way in."""
    password = uuid.uuid4().hex
    books.execute(f"ALTER ROLE {url.username} PASSWORD '{password}'")
    books.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{url.username}'")
    return url.set(password=password)


@pytest.fixture
def kept(own_login: sa.URL, books: Books, monkeypatch: pytest.MonkeyPatch) -> Kept:
    told = bench.environment(own_login) | {
        "STRIPE_WEBHOOK_SECRET_ARN": "signing",
        "DATABASE_SECRET_ARN": "database",
        "PGSSLROOTCERT": str(own_login.query["sslrootcert"]),
    }
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    made = Kept(own_login)
    monkeypatch.setattr(settings, "read_aws_secret", made)
    return made


@pytest.fixture
def at_work(kept: Kept) -> Iterator[Running]:
    with closing(Running(CollectorRegistry(), connections=1)) as made:
        yield made


def status(at_work: Running, event: Mapping[str, Any], secret: str = SECRET) -> int:
    return bench.post(Application(at_work.webhook), *body_and_headers(event, secret)).status_code


def later(at_work: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the time that secrets are kept were over."""
    monkeypatch.setattr(at_work, "_until", time.time())


def test_a_rotated_login_is_found_at_the_first_connection_that_is_refused(
    at_work: Running, kept: Kept, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert status(at_work, CREATED) == 200
    monkeypatch.setattr(login, "_READ_AGAIN_SECONDS", 0.0)
    kept.url = rotated(books, kept.url)
    assert (status(at_work, UPGRADED), books.plan()) == (200, "pro")


def test_secrets_are_read_anew_in_time_and_not_before(
    at_work: Running, kept: Kept, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert status(at_work, CREATED) == 200
    kept.url, kept.signing = rotated(books, kept.url), _ROLLED
    at_work.renew()
    assert (kept.reads, status(at_work, UPGRADED), status(at_work, UPGRADED, _ROLLED)) == (2, 503, 400)
    later(at_work, monkeypatch)
    at_work.renew()
    assert (status(at_work, UPGRADED), status(at_work, UPGRADED, _ROLLED)) == (400, 200)
    at_work.renew()
    # A signing secret and a login, each twice: neither call of `renew` that came too soon read one.
    assert (kept.reads, books.plan()) == (4, "pro")


@pytest.mark.parametrize(
    ("instead", "told"), [("", "there is no signing secret"), ("half-of-a-secret", "it is no JSON object")]
)
def test_secrets_that_cannot_be_read_leave_those_that_are_known_in_use(
    at_work: Running,
    kept: Kept,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    instead: str,
    told: str,
) -> None:
    logs.configure("billing")
    assert status(at_work, CREATED) == 200
    kept.instead = instead
    later(at_work, monkeypatch)
    for _ in range(2):  # the second time it is too soon to read them again
        at_work.renew()
        assert status(at_work, UPGRADED) == 200
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "secrets-not-read" in line]
    assert told in line and "half-of-a-secret" not in line and SECRET not in line
    kept.instead, kept.signing = None, _ROLLED
    later(at_work, monkeypatch)
    at_work.renew()
    assert status(at_work, DOWNGRADED, _ROLLED) == 200


def test_a_process_that_nobody_starts_anew(sandbox: Sandbox, own_login: sa.URL, books: Books, tmp_path: Path) -> None:
    """With its own ways to the secret manager and to the database; only the time between two looks is shortened."""
    secrets = client("secretsmanager", "us-east-1", sandbox.environment)
    signing, way_in = (
        str(secrets.create_secret(Name=uuid.uuid4().hex, SecretString=text)["ARN"])
        for text in (SECRET, record(own_login))
    )
    told = {name: value for name, value in sandbox.environment.items() if name.startswith("AWS_")}
    told |= {
        "STRIPE_WEBHOOK_SECRET_ARN": signing,
        "DATABASE_SECRET_ARN": way_in,
        "PGSSLROOTCERT": str(own_login.query["sslrootcert"]),
    }
    witness = Witness(books)
    with bench.server(own_login, tmp_path, "tests.services.billing.looking_often", **told) as server:
        assert server.send(CREATED).status_code == 200
        stored_from_loop(server, witness, SECRET)
        new = rotated(books, own_login)
        secrets.put_secret_value(SecretId=way_in, SecretString=record(new))
        secrets.put_secret_value(SecretId=signing, SecretString=_ROLLED)
        body, headers = body_and_headers(UPGRADED, _ROLLED)
        until(lambda: plain_http.post(server.url, body, headers).status_code == 200, seconds=60)
        stored_from_loop(server, witness, _ROLLED)
        assert server.process.poll() is None
    assert books.plan() == "pro"
