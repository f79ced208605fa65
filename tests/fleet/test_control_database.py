"""The ways into the control database that a platform's contract tells: the administrator's and the runner's."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from catalog.services import Service
from errors import FreeholdError, TransientError
from fleet import migrations
from fleet.cloud import client
from fleet.connection_limits import TCP_LIMITS
from fleet.control_database import control_database, control_database_to_read, read_secret, runner_database
from fleet.registry import Registry
from stacks.contract import PlatformContract
from tests.fleet.contracts import contract
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
        return contract(database={"tenants": server, "control": {**server, "logins": self.logins}})

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
    with pytest.raises(TransientError, match=r"at revision 9999, newer than .* set freehold:runner\.image"):
        cell.open_as_runner()


@pytest.mark.parametrize("opened", [control_database, control_database_to_read])
def test_a_release_that_is_older_than_the_schema_says_so_in_a_line(
    cell: Cell, opened: Callable[[PlatformContract, Mapping[str, str]], sa.Engine]
) -> None:
    administrator = control_database(cell.contract(), cell.sandbox.environment)
    with administrator.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0999'"))
    with pytest.raises(FreeholdError) as refused:
        opened(cell.contract(), cell.sandbox.environment)
    assert refused.value.line() == (
        f"control database: its schema is at revision 0999, newer than this release's {migrations.HEAD}; "
        "run the release that it was brought up to date by, or a later one (docs/upgrade.md)"
    )
    assert not isinstance(refused.value, TransientError)
    with administrator.connect() as connection:
        assert migrations.current(connection) == "0999"
    administrator.dispose()


def test_who_only_looks_brings_no_schema_up_to_date(cell: Cell) -> None:
    with pytest.raises(FreeholdError, match=r"at revision None, and this release reads .* \./freehold up"):
        control_database_to_read(cell.contract(), cell.sandbox.environment)
    administrator = control_database(cell.contract(), cell.sandbox.environment)
    earlier(administrator)
    with pytest.raises(FreeholdError, match="at revision 0004, and this release reads"):
        control_database_to_read(cell.contract(), cell.sandbox.environment)
    with administrator.connect() as connection:
        assert migrations.current(connection) == "0004"
    administrator.dispose()


def test_who_only_looks_changes_nothing(cell: Cell) -> None:
    control_database(cell.contract(), cell.sandbox.environment).dispose()
    reading = control_database_to_read(cell.contract(), cell.sandbox.environment)
    assert Registry(reading).list() == []
    with reading.connect() as connection, pytest.raises(sa.exc.InternalError, match="read-only transaction"):
        connection.execute(sa.text("DELETE FROM tenants"))
    reading.dispose()


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


def earlier(database: sa.Engine) -> None:
    """Back to the revision before `tenants` was altered."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    with database.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0004")


@pytest.fixture
def impatient(database: sa.Engine) -> Iterator[sa.Engine]:
    """The same as `database`; a statement that waits without an end of its own is ended some day."""
    engine = sa.create_engine(database.url, connect_args={"options": "-c statement_timeout=60000"})
    yield engine
    engine.dispose()


def test_a_migration_lets_others_read_while_it_waits_for_a_lock(database: sa.Engine, impatient: sa.Engine) -> None:
    earlier(database)
    tenants = sa.text("SELECT count(*) FROM tenants")
    with database.connect() as idle:
        # A session that read, and then forgot its transaction.
        idle.execute(tenants)
        reads: list[int] = []

        def read() -> None:
            with impatient.connect() as reader:
                reads.append(reader.scalar(tenants))
            if len(reads) == 3:
                idle.rollback()

        with impatient.begin() as connection:
            assert migrations.upgrade(connection, lock_seconds=0.1, pause=read)
            assert connection.scalar(sa.text("SHOW lock_timeout")) == "0"
    assert len(reads) == 3
    with database.connect() as connection:
        assert migrations.current(connection) == migrations.HEAD


def test_a_migration_that_gets_no_lock_gives_up_and_says_who_has_it(database: sa.Engine, impatient: sa.Engine) -> None:
    earlier(database)
    with database.connect() as idle:
        idle.execute(sa.text("SELECT count(*) FROM tenants"))
        process = idle.scalar(sa.text("SELECT pg_backend_pid()"))
        with pytest.raises(TransientError) as failed, impatient.begin() as connection:
            migrations.upgrade(connection, tries=2, lock_seconds=0.1, pause=lambda: None)
    assert failed.value.line() == (
        "control database: its schema could not be changed: "
        f"other sessions keep its tables locked (process {process}); "
        "end what is idle in a transaction (pg_stat_activity), then run it again"
    )
    with database.connect() as connection:
        assert migrations.current(connection) == "0004"


def test_a_secret_manager_that_does_not_answer_may_pass(cell: Cell) -> None:
    nobody = {**cell.sandbox.environment, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    with pytest.raises(TransientError, match="Could not connect"):
        read_secret("a", REGION, nobody)
    with pytest.raises(FreeholdError, match="GetSecretValue") as refused:
        read_secret("a", REGION, cell.sandbox.environment)
    assert not isinstance(refused.value, TransientError)
