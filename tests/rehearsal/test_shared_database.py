"""A shared database and a tenant in it, made by the real engine on a server whose administrator is no superuser."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from sandbox.home import CHECKOUT
from sandbox.supervisor.messages import Database
from tests.rehearsal.engine import EngineProject
from tests.temporary_sandbox import Sandbox

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(300)]

PASSWORD = "p4ssword-p4ssword"
PROGRAM = f"""
import sys
sys.path.insert(0, {str(CHECKOUT)!r})
import pulumi
from components.shared_database import SharedDatabase, SharedDatabaseArgs
from components.tenant_schema import TenantSchema, TenantSchemaArgs
config = pulumi.Config()
shared = SharedDatabase("shared", SharedDatabaseArgs(
    config.require("host"), config.require_int("port"), "keeper", config.require_secret("password"), "tenants"))
if config.get_bool("tenant"):
    tenant = TenantSchema("tenant", TenantSchemaArgs("tenants", "t_acme", connections=5, protect=False),
        pulumi.ResourceOptions(provider=shared.admin, depends_on=shared))
    pulumi.export("tenant", tenant.password)
"""


@dataclass(frozen=True)
class Case:
    engine: EngineProject
    server: Database

    def connect(self, database: str, user: str = "keeper", password: str = PASSWORD) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host=self.server.host, port=self.server.port, dbname=database, user=user, password=password,
            sslmode="verify-full", sslrootcert=str(self.server.certificate_authority_path), connect_timeout=10,
            autocommit=True)  # fmt: skip

    def as_tenant(self, database: str) -> psycopg.Connection[Any]:
        return self.connect(database, "t_acme", self.engine.outputs()["tenant"])


@pytest.fixture(scope="module")
def case(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    name = f"shared-{uuid.uuid4().hex[:8]}"
    server = sandbox.supervisor.create_database(name, username="keeper", password=PASSWORD, database="tenants")
    config = {"host": server.host, "port": str(server.port), "tenant": "true"}
    engine = EngineProject(sandbox.environment, tmp_path_factory.mktemp("shared"), name=name, config=config)
    engine.pulumi("config", "set", "--secret", "password", PASSWORD).expect_ok()
    engine.up(PROGRAM).expect_ok()
    yield Case(engine, server)
    engine.destroy().expect_ok()
    sandbox.supervisor.delete_database(name)


@pytest.mark.parametrize("database", ["postgres", "template1"])
def test_a_tenant_gets_into_its_own_database_alone(case: Case, database: str) -> None:
    with case.as_tenant("tenants") as own:
        own.execute("CREATE TABLE kept (n int)")
        own.execute("DROP TABLE kept")
    with pytest.raises(psycopg.OperationalError, match=f'permission denied for database "{database}"'):
        case.as_tenant(database)
    with case.connect(database) as administrator:
        assert administrator.execute("SELECT current_database()").fetchone() == (database,)


def test_what_is_closed_stays_as_declared(case: Case) -> None:
    assert set(case.engine.up(PROGRAM).expect_ok().changes) == {"same"}
    assert set(case.engine.refresh().expect_ok().changes) == {"same"}
    with case.connect("postgres") as administrator:
        administrator.execute("GRANT CONNECT ON DATABASE template1 TO PUBLIC")
    assert case.engine.refresh().expect_ok().changes.get("update") == 1
    assert case.engine.up(PROGRAM).expect_ok().changes.get("update") == 1
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        case.as_tenant("template1")


def test_what_a_tenant_left_in_another_database_once_can_be_taken_away(case: Case) -> None:
    with case.connect("postgres") as administrator:
        administrator.execute("GRANT CONNECT ON DATABASE postgres TO t_acme")
        with case.as_tenant("postgres") as earlier:
            earlier.execute("SELECT lo_from_bytea(0, 'data')")
        administrator.execute("REVOKE CONNECT ON DATABASE postgres FROM t_acme")
    case.engine.pulumi("config", "set", "tenant", "false").expect_ok()
    refused = case.engine.up(PROGRAM)
    assert not refused.ok and "object in database postgres" in refused.stdout + refused.stderr
    with case.connect("postgres") as administrator:
        # As docs/add-a-tenant.md has it.
        administrator.execute("GRANT t_acme TO CURRENT_USER; DROP OWNED BY t_acme")
    case.engine.up(PROGRAM).expect_ok()
    case.engine.pulumi("config", "set", "tenant", "true").expect_ok()
    case.engine.up(PROGRAM).expect_ok()


def test_large_objects_of_a_tenant_that_was_destroyed_by_hand_are_the_administrator_s_to_delete(case: Case) -> None:
    with case.as_tenant("tenants") as own:
        own.execute("SELECT lo_from_bytea(0, 'data')")
    case.engine.pulumi("config", "set", "tenant", "false").expect_ok()
    case.engine.up(PROGRAM).expect_ok()
    with case.connect("tenants") as administrator:
        assert administrator.execute("SELECT count(*) FROM pg_roles WHERE rolname = 't_acme'").fetchone() == (0,)
        # As docs/add-a-tenant.md has it.
        mine = "FROM pg_largeobject_metadata WHERE lomowner = current_user::regrole"
        assert administrator.execute(f"SELECT lo_unlink(oid) {mine}".encode()).fetchall() == [(1,)]
        assert administrator.execute(f"SELECT count(*) {mine}".encode()).fetchone() == (0,)
    case.engine.pulumi("config", "set", "tenant", "true").expect_ok()
    case.engine.up(PROGRAM).expect_ok()
