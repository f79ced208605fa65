"""The ways into the control database that a platform's contract tells: the administrator's and the runner's."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa

from catalog.services import Service
from errors import TransientError
from fleet import migrations
from fleet.cloud import client
from fleet.connection_limits import TCP_LIMITS
from fleet.control_database import control_database, runner_database
from fleet.registry import Registry
from stacks.contract import PlatformContract
from tests.service_logins import make_login
from tests.tcp_limits import tcp_limits
from tests.temporary_sandbox import Sandbox

pytestmark = pytest.mark.sandbox

REGION = "us-east-1"


@dataclass
class Cell:
    """A contract whose control database is a test's, and its secrets."""

    sandbox: Sandbox
    database: sa.URL
    logins: dict[str, str]

    def secret(self, url: sa.URL) -> str:
        manager = client("secretsmanager", REGION, self.sandbox.environment)
        record = {"username": url.username, "password": url.password}
        made = manager.create_secret(Name=uuid.uuid4().hex, SecretString=json.dumps(record))
        return str(made["ARN"])

    def contract(self) -> PlatformContract:
        server: dict[str, Any] = {
            "identifier": "control",
            "host": self.database.host,
            "port": self.database.port,
            "database": self.database.database,
            "admin_secret": self.secret(self.database),
        }
        nothing = {"name": "", "arn": "", "kms_key_arn": ""}
        return PlatformContract.model_validate(
            {
                **dict.fromkeys(("product", "environment", "cell", "cost_centre", "cloud", "account"), "x"),
                "version": 1,
                "region": REGION,
                "admits_tenants": True,
                "network": {"cidr": "", "data_cidrs": (), "service_cidr": ""},
                "cluster": dict.fromkeys(("name", "endpoint", "kubeconfig", "oidc_issuer", "oidc_provider_arn"), ""),
                "database": {"tenants": server, "control": {**server, "logins": self.logins}},
                "cache": {
                    "port": 6379,
                    **dict.fromkeys(("replication_group", "host", "user_group", "admin_secret"), ""),
                },
                "bucket": nothing,
                "alerts": {"topic_arn": ""},
                "budget": {"name": "", "limit": 1},
            }
        )

    def open_as_runner(self) -> sa.Engine:
        return runner_database(self.contract(), self.sandbox.environment, connections=1)


@pytest.fixture
def cell(sandbox: Sandbox, empty_database: sa.URL) -> Cell:
    made = Cell(sandbox, empty_database, {})
    made.logins[Service.RUNNER] = made.secret(make_login(empty_database, Service.RUNNER))
    return made


def test_the_runner_waits_until_an_administrator_has_opened_it(cell: Cell) -> None:
    with pytest.raises(TransientError, match="at revision None, not at"):
        cell.open_as_runner()
    administrator = sa.create_engine(cell.database)
    with administrator.begin() as connection:
        migrations.upgrade(connection)
    administrator.dispose()
    with pytest.raises(TransientError, match="freehold_runner has been given no rights yet"):
        cell.open_as_runner()
    control_database(cell.contract(), cell.sandbox.environment).dispose()
    opened = cell.open_as_runner()
    with opened.connect() as connection:
        assert connection.scalar(sa.text("SELECT current_user")) == Service.RUNNER.role
    assert Registry(opened).list() == []
    opened.dispose()


def test_the_runner_works_on_no_schema_of_another_release(cell: Cell) -> None:
    administrator = control_database(cell.contract(), cell.sandbox.environment)
    with administrator.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    administrator.dispose()
    with pytest.raises(TransientError, match="at revision 9999"):
        cell.open_as_runner()


def test_in_a_platform_of_an_earlier_release_the_runner_logs_in_as_before(cell: Cell) -> None:
    cell.logins.clear()
    control_database(cell.contract(), cell.sandbox.environment).dispose()
    opened = cell.open_as_runner()
    with opened.connect() as connection:
        assert connection.scalar(sa.text("SELECT current_user")) == cell.database.username
    opened.dispose()


def test_a_server_that_falls_silent_is_left_and_no_statement_waits_for_ever(cell: Cell) -> None:
    administrator = control_database(cell.contract(), cell.sandbox.environment)
    runner = cell.open_as_runner()
    for engine, limit in ((administrator, "0"), (runner, "10s")):
        assert tcp_limits(engine) == TCP_LIMITS
        with engine.connect() as connection:
            # A migration takes what it takes.
            assert connection.scalar(sa.text("SHOW statement_timeout")) == limit
        engine.dispose()


def test_what_a_row_holds_is_in_no_message(cell: Cell) -> None:
    for engine in (control_database(cell.contract(), cell.sandbox.environment), cell.open_as_runner()):
        with engine.connect() as connection, pytest.raises(sa.exc.ProgrammingError) as failed:
            connection.execute(sa.text("SELECT :value FROM nowhere"), {"value": "of a customer"})
        assert "of a customer" not in str(failed.value)
        engine.dispose()
