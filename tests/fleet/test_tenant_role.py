"""A tenant's role before a run on its stack: its own settings are taken back; where it is closed, its sessions end."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from catalog import identifiers
from errors import TransientError
from fleet import tenant_role
from fleet.cloud import client
from fleet.tenant_role import Access
from sandbox.environment import REGION
from stacks.contract import PlatformContract
from tests.fleet.contracts import contract
from tests.temporary_sandbox import Sandbox

pytestmark = pytest.mark.sandbox

TENANT, ROLE, PASSWORD = "acme", identifiers.postgres_name("acme"), "of-the-tenant-and-long"


class Server:
    """The shared database, as its administrator, who is no superuser, and as the tenant."""

    def __init__(self, sandbox: Sandbox, url: sa.URL) -> None:
        self.url, self.environment = url, sandbox.environment
        record = {"username": url.username, "password": url.password}
        manager = client("secretsmanager", REGION, self.environment)
        self.secret = str(manager.create_secret(Name=uuid.uuid4().hex, SecretString=json.dumps(record))["ARN"])

    def contract(self, **changed: Any) -> PlatformContract:
        server = {"host": self.url.host, "port": self.url.port, "database": self.url.database, **changed}
        return contract(
            database={"tenants": {"identifier": "tenants", "admin_secret": self.secret, **server}, "control": None}
        )

    def settle(self, access: Access) -> None:
        tenant_role.settle(self.contract(), self.environment, TENANT, access)

    def connect(self, user: str, password: str) -> psycopg.Connection:
        return psycopg.connect(
            host=self.url.host,
            port=self.url.port,
            dbname=self.url.database,
            user=user,
            password=password,
            sslmode="verify-full",
            sslrootcert=str(self.url.query["sslrootcert"]),
            autocommit=True,
        )

    def as_tenant(self) -> psycopg.Connection:
        return self.connect(ROLE, PASSWORD)

    def as_administrator(self, statement: str) -> None:
        with self.connect(str(self.url.username), str(self.url.password)) as connection:
            connection.execute(statement)

    def large_objects(self) -> int:
        with self.connect(str(self.url.username), str(self.url.password)) as connection:
            (found,) = connection.execute("SELECT count(*) FROM pg_largeobject_metadata").fetchone() or (0,)
            return int(found)

    def settings(self) -> Mapping[str | None, list[str]]:
        """Of the role, by database."""
        query = (
            "SELECT d.datname, s.setconfig FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole"
            " LEFT JOIN pg_database d ON d.oid = s.setdatabase WHERE r.rolname = %s"
        )
        with self.connect(str(self.url.username), str(self.url.password)) as connection:
            return {name: list(settings) for name, settings in connection.execute(query, (ROLE,))}


@pytest.fixture
def server(sandbox: Sandbox, empty_database: sa.URL) -> Iterator[Server]:
    made = Server(sandbox, empty_database)
    made.as_administrator(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'")
    made.as_administrator(f"ALTER ROLE {ROLE} SET search_path = '{ROLE}'")
    yield made
    made.as_administrator(f"DROP ROLE {ROLE}")


def _quiet(connection: psycopg.Connection) -> None:
    connection.execute("SELECT 1")


@pytest.mark.parametrize("access", Access)
def test_what_a_tenant_set_for_its_role_is_taken_back(server: Server, access: Access) -> None:
    with server.as_tenant() as tenant:
        tenant.execute("ALTER ROLE CURRENT_USER SET statement_timeout = '30s'")
        tenant.execute("ALTER ROLE CURRENT_USER SET idle_in_transaction_session_timeout = '1h'")
        tenant.execute(f"ALTER ROLE CURRENT_USER IN DATABASE {server.url.database} SET work_mem = '64MB'")
    server.settle(access)
    assert server.settings() == {None: [f"search_path={ROLE}"]}


@pytest.mark.parametrize(
    "held", [_quiet, lambda connection: connection.execute("SELECT pg_advisory_lock(1)")], ids=["nothing", "a lock"]
)
def test_a_closed_role_has_no_session_and_gets_none(
    server: Server, held: Callable[[psycopg.Connection], object]
) -> None:
    with server.as_tenant() as tenant:
        held(tenant)
        server.settle(Access.CLOSED)
        with pytest.raises(psycopg.OperationalError):
            _quiet(tenant)
    with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
        server.as_tenant()
    # The administrator has no more rights than before.
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        server.as_administrator(f"SET ROLE {ROLE}")


def test_an_open_role_keeps_its_sessions(server: Server) -> None:
    with server.as_tenant() as tenant:
        server.settle(Access.OPEN)
        _quiet(tenant)


def test_large_objects_go_with_a_deleted_tenant_and_with_no_other(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenant_role, "_UNLINKED_AT_ONCE", 2)
    with server.as_tenant() as tenant:
        for _ in range(5):
            tenant.execute("SELECT lo_from_bytea(0, 'of acme')")
    server.as_administrator("SELECT lo_from_bytea(0, 'of nobody')")
    server.settle(Access.CLOSED)
    assert server.large_objects() == 6
    server.settle(Access.DELETED)
    assert server.large_objects() == 1
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        server.as_administrator(f"SET ROLE {ROLE}")


def test_a_tenant_without_a_role_is_none_of_its_business(server: Server) -> None:
    tenant_role.settle(server.contract(), server.environment, "nobody", Access.DELETED)


def test_a_server_that_does_not_answer_may_pass(server: Server) -> None:
    with pytest.raises(TransientError, match=r"^database tenants: connection failed"):
        tenant_role.settle(server.contract(port=1), server.environment, TENANT, Access.CLOSED)


def test_the_administrators_login_is_shown_to_that_server_alone_and_waits_for_nobodys_lock(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    def connect(**options: Any) -> None:
        asked.update(options)
        raise psycopg.OperationalError("enough")

    monkeypatch.setattr(psycopg, "connect", connect)
    with pytest.raises(TransientError, match="enough"):
        server.settle(Access.CLOSED)
    assert (asked["sslmode"], asked["sslrootcert"]) == ("verify-full", server.environment["PGSSLROOTCERT"])
    assert asked["options"] == "-c lock_timeout=10s"
