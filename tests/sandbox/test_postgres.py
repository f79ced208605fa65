"""The Postgres instances: TLS and SCRAM enforced, an administrator that is no superuser, parameters, crashes."""

from __future__ import annotations

import time
from typing import Any

import psycopg
import pytest
from psycopg import sql

from components.aws.postgres_parameters import ceilings
from sandbox.processes.postgres import PostgresServer
from sandbox.processes.site import Site
from sandbox.supervisor.definitions import DatabaseDefinition
from sandbox.supervisor.launch import start
from sandbox.supervisor.messages import Database, SupervisorError
from sandbox.supervisor.pidfile import ProcessIdentity
from sandbox.supervisor.ports import Ports
from tests.sandbox.conftest import PASSWORD, kill_and_wait
from tests.temporary_sandbox import Sandbox, temporary_sandbox, without_chosen_ports

pytestmark = pytest.mark.sandbox


def connect(database: Database, **changes: Any) -> psycopg.Connection:
    """As the administrator, with the server verified, unless told otherwise."""
    options = {
        "host": database.host,
        "port": database.port,
        "user": database.username,
        "password": PASSWORD,
        "dbname": database.database,
        "sslmode": "verify-full",
        "sslrootcert": str(database.certificate_authority_path),
        "connect_timeout": 10,
        **changes,
    }
    return psycopg.connect(**options)


def value(connection: psycopg.Connection, query: str) -> Any:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def test_the_administrator_is_no_superuser_and_can_do_what_one_on_rds_can(database: Database) -> None:
    with connect(database) as connection:
        connection.autocommit = True
        flags = connection.execute(
            "SELECT rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication FROM pg_roles "
            "WHERE rolname = current_user"
        ).fetchone()
        assert flags == (False, True, True, False, False)
        assert value(connection, "SELECT pg_has_role('rds_superuser', 'member')")
        owner = "SELECT datdba::regrole::text FROM pg_database WHERE datname = current_database()"
        assert value(connection, owner) == database.username
        connection.execute("CREATE ROLE t_acme LOGIN PASSWORD 'x'")
        connection.execute("CREATE SCHEMA t_acme")
        connection.execute("DROP SCHEMA t_acme")
        connection.execute("DROP ROLE t_acme")
        for refused in (
            "ALTER ROLE keeper SUPERUSER",
            "SET ROLE freehold_supervisor",
            "COPY (SELECT 1) TO PROGRAM 'true'",
            "SELECT pg_read_file('postgresql.conf')",
            "ALTER SYSTEM SET ssl = off",
            "ALTER ROLE freehold_supervisor PASSWORD 'mine'",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(refused)


def _owners(connection: psycopg.Connection) -> dict[str, str]:
    rows = connection.execute("SELECT datname, pg_get_userbyid(datdba) FROM pg_database").fetchall()
    return dict(rows)


def test_the_administrator_owns_the_databases_that_every_server_has_but_no_function_of_the_server_s(
    database: Database,
) -> None:
    with connect(database) as connection:
        connection.autocommit = True
        owners = _owners(connection)
        assert owners["postgres"] == owners["template1"] == database.username
        assert owners["template0"] != database.username
        connection.execute("CREATE ROLE somebody")
        notices: list[str] = []
        connection.add_notice_handler(lambda told: notices.append(str(told.message_primary)))
        connection.execute("REVOKE EXECUTE ON FUNCTION lo_create(oid) FROM PUBLIC")
        assert notices == ['no privileges could be revoked for "lo_create"']
        assert value(connection, "SELECT has_function_privilege('somebody', 'lo_create(oid)', 'EXECUTE')") is True
        connection.execute("DROP ROLE somebody")
    for name in ("postgres", "template1"):
        with connect(database, dbname=name) as connection:
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
            acl = "SELECT bool_or(grantee = 0) FROM pg_database, aclexplode(datacl) WHERE datname = current_database()"
            assert value(connection, acl) is False
            connection.rollback()


def test_tls_is_enforced_and_the_server_verifiable(database: Database) -> None:
    with connect(database) as connection:
        assert value(connection, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") is True
        assert value(connection, "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()") == "TLSv1.3"
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry .* no encryption"):
        connect(database, sslmode="disable")


def test_passwords_are_scram_and_wrong_ones_refused(database: Database) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(database, password="another")
    with pytest.raises(psycopg.OperationalError, match="certificate"):
        connect(database, user="freehold_supervisor")


def test_creating_what_exists_is_an_error_and_changes_nothing(sandbox: Sandbox, database: Database) -> None:
    with pytest.raises(SupervisorError) as caught:
        sandbox.supervisor.create_database(
            database.identifier, username="other", password="another-password", database="other"
        )
    assert caught.value.reason == "exists"
    assert caught.value.line() == "database processes: exists already"
    with connect(database):
        pass


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"identifier": "../../etc"}, "identifier"),
        ({"username": "pg_admin"}, "username pg_admin: is reserved"),
        ({"username": "freehold_supervisor"}, "reserved"),
        ({"username": 'a"b'}, "username"),
        ({"password": "short"}, "password"),
        ({"parameters": {"ssl": "off"}}, "parameter ssl: is not for an instance to set"),
        ({"parameters": {"archive_command": "touch /tmp/x"}}, "archive_command"),
        ({"parameters": {"work_mem": "1MB\nssl = off"}}, "is not a parameter"),
    ],
)
def test_bad_input_is_refused_in_one_line(sandbox: Sandbox, fields: dict[str, Any], told: str) -> None:
    asked = {"identifier": "bad", "username": "keeper", "password": PASSWORD, "database": "tenants", **fields}
    with pytest.raises(SupervisorError) as caught:
        sandbox.supervisor.create_database(**asked)
    assert caught.value.reason == "invalid"
    assert told in caught.value.line()
    assert "\n" not in caught.value.line()
    assert asked["password"] not in caught.value.line()
    assert sandbox.supervisor.database("bad") is None


def test_parameters_and_password_change_while_connections_go_on(sandbox: Sandbox) -> None:
    supervisor = sandbox.supervisor
    made = supervisor.create_database(
        "parameters",
        username="keeper",
        password=PASSWORD,
        database="tenants",
        parameters={
            "rds.force_ssl": "1",
            "log_min_duration_statement": "500",
            "shared_buffers": "{DBInstanceClassMemory/32768}",
        },
    )
    with connect(made) as connection:
        assert value(connection, "SHOW log_min_duration_statement") == "500ms"
        assert value(connection, "SHOW rds.force_ssl") == "1"
        supervisor.update_database("parameters", parameters={"work_mem": "8MB"})
    with connect(made) as connection:
        assert value(connection, "SHOW work_mem") == "8MB"
        assert value(connection, "SHOW log_min_duration_statement") == "-1"
    # One that wants a restart: it is restarted.
    supervisor.update_database("parameters", parameters={"max_connections": "42"})
    with connect(made) as connection:
        assert value(connection, "SHOW max_connections") == "42"
    with pytest.raises(SupervisorError, match="work_mems") as caught:
        supervisor.update_database("parameters", parameters={"work_mems": "8MB"})
    assert caught.value.reason == "invalid"
    with connect(made) as connection:
        assert value(connection, "SHOW max_connections") == "42"
    supervisor.update_database("parameters", password="another-password")
    with pytest.raises(psycopg.OperationalError):
        connect(made)
    with connect(made, password="another-password"):
        pass
    supervisor.delete_database("parameters")
    supervisor.delete_database("parameters")
    assert supervisor.database("parameters") is None
    assert not (sandbox.home.data / "databases" / "parameters").exists()
    with pytest.raises(psycopg.OperationalError, match="refused"):
        connect(made)


def test_ceilings_hold_for_whoever_is_no_superuser(sandbox: Sandbox) -> None:
    supervisor, name = sandbox.supervisor, "ceilings"
    made = supervisor.create_database(
        name, username="keeper", password=PASSWORD, database="tenants", parameters=ceilings(20)
    )
    with connect(made) as connection:
        assert value(connection, "SHOW authentication_timeout") == "10s"
        assert value(connection, "SHOW temp_file_limit") == "1GB"
    supervisor.update_database(name, parameters=ceilings(20) | {"temp_file_limit": "1024"})
    with connect(made) as connection:
        connection.autocommit = True
        connection.execute("SET work_mem = '64kB'")
        with pytest.raises(psycopg.errors.ConfigurationLimitExceeded, match="temp_file_limit"):
            connection.execute("SELECT n FROM generate_series(1, 1000000) AS n ORDER BY -n")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SET temp_file_limit = -1")
    supervisor.delete_database(name)


def test_a_parameter_that_does_not_exist_leaves_no_instance(sandbox: Sandbox) -> None:
    with pytest.raises(SupervisorError, match="work_mems"):
        sandbox.supervisor.create_database(
            "broken", username="keeper", password=PASSWORD, database="tenants", parameters={"work_mems": "1MB"}
        )
    assert sandbox.supervisor.database("broken") is None
    assert "postgres-broken" not in {process.name for process in sandbox.supervisor.status().processes}


def test_a_server_of_an_earlier_release_gives_its_databases_to_the_administrator() -> None:
    with temporary_sandbox() as own:
        fields: dict[str, Any] = {"username": "keeper", "password": PASSWORD, "database": "tenants"}
        made = own.supervisor.create_database("earlier", **fields)
        site = Site(own.home, Ports(own.home.data / "ports.json", {}))
        definition = DatabaseDefinition(name="earlier", parameters={}, **fields)
        with PostgresServer(site, definition, own.home.data).connect() as superuser:
            superuser.execute("ALTER DATABASE postgres OWNER TO freehold_supervisor")
        own.supervisor.stop()
        start(own.home, environment=without_chosen_ports())
        found = own.supervisor.database("earlier")
        assert found is not None
        with connect(found) as connection:
            assert _owners(connection)["postgres"] == made.username


def test_kill_9_loses_nothing_that_was_committed(sandbox: Sandbox, database: Database) -> None:
    with connect(database) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    kill_and_wait(sandbox.supervisor, "postgres-processes")
    with connect(database) as connection:
        assert value(connection, "SELECT count(*) FROM kept") == 1000
        assert value(connection, "SHOW fsync") == "on"
        connection.execute("DROP TABLE kept")


def test_kill_9_while_somebody_computes_ends_that_too(sandbox: Sandbox, database: Database) -> None:
    """A process of Postgres' that computes does not see that its server is gone, and keeps another off the folder."""
    connection = connect(database, autocommit=True)
    try:
        pid = value(connection, "SELECT pg_backend_pid()")
        connection.pgconn.send_query(b"SELECT sum(n) FROM generate_series(1, 100000000000) AS n")
        # It begins to compute; before, it would still see the server's end.
        until_running(database, pid)
        computing = ProcessIdentity.of(pid)
        assert computing is not None
        kill_and_wait(sandbox.supervisor, "postgres-processes")
        assert not computing.is_alive()
    finally:
        connection.close()


def until_running(database: Database, pid: int) -> None:
    deadline = time.monotonic() + 20
    with connect(database, autocommit=True) as other:
        while value(other, f"SELECT state FROM pg_stat_activity WHERE pid = {pid}") != "active":
            assert time.monotonic() < deadline
            time.sleep(0.05)
