"""The postgresql types through the real engine."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from sandbox.providers.postgresql.server import LOCK
from tests.conformance.postgresql.bench import Bench
from tests.rehearsal.engine import EngineProject
from tests.temporary_sandbox import Sandbox

pytestmark = pytest.mark.sandbox

PROGRAM = """
    import json
    import pulumi
    import pulumi_postgresql as postgresql
    import pulumi_random as random

    config = pulumi.Config()
    tag = config.require("tag")
    server = postgresql.Provider(
        "server", **json.loads(config.require("server")), password=config.require_secret("password")
    )
    opts = pulumi.ResourceOptions(provider=server)
    password = random.RandomPassword("password", length=24)
    tenant = postgresql.Role(
        "tenant", name=f"tenant_{tag}", login=True, password=password.result, connection_limit=LIMIT, opts=opts
    )
    schema = postgresql.Schema("schema", name=f"schema_{tag}", owner=tenant.name, opts=opts)
    reader = postgresql.Role("reader", opts=opts)
    # Not of a Role, which would take away what it does not name itself.
    member = postgresql.GrantRole("member", role="administrator", grant_role=reader.name, opts=opts)
    grant = postgresql.Grant("grant", role=reader.name, database=schema.database, schema=schema.name,
                             object_type="schema", privileges=["USAGE"], opts=opts)
    defaults = postgresql.DefaultPrivileges("defaults", role=reader.name, database=schema.database,
                                            owner=tenant.name, object_type="table", privileges=["SELECT"], opts=opts)
    database = postgresql.Database("database", name=f"DATABASE_{tag}", owner=tenant.name, opts=opts)
    pulumi.export("password", password.result)
    pulumi.export("reader", reader.name)
"""


def program(*, limit: int = 5, database: str = "one") -> str:
    return PROGRAM.replace("LIMIT", str(limit)).replace("DATABASE", database)


@dataclass(frozen=True)
class Case:
    """A stack with names of its own."""

    engine: EngineProject
    tag: str

    @property
    def tenant(self) -> str:
        return f"tenant_{self.tag}"

    @property
    def schema(self) -> str:
        return f"schema_{self.tag}"


@pytest.fixture
def case(sandbox: Sandbox, postgres: dict[str, str | int | bool], tmp_path: Path) -> Iterator[Case]:
    server = {key: value for key, value in postgres.items() if key != "password"}
    # Backend and server are shared: the names are this test's own.
    tag = uuid.uuid4().hex[:8]
    engine = EngineProject(
        sandbox.environment,
        tmp_path / "postgresql",
        name=f"postgresql-{tag}",
        config={"server": json.dumps(server), "tag": tag},
    )
    engine.pulumi("config", "set", "--secret", "password", str(postgres["password"])).expect_ok()
    yield Case(engine, tag)
    engine.destroy().expect_ok()


def test_a_whole_life(case: Case, bench: Bench) -> None:
    engine, role_there = case.engine, "SELECT count(*) FROM pg_roles WHERE rolname = %s"
    preview = engine.preview(program()).expect_ok()
    assert preview.changes["create"] == 10
    assert bench.value(role_there, case.tenant) == 0
    engine.up().expect_ok()
    outputs = engine.outputs()
    assert outputs["reader"].startswith("reader-")
    with bench.client(case.tenant, outputs["password"]) as tenant:
        tenant.execute(f"CREATE TABLE {case.schema}.data AS SELECT 1 AS n".encode())
    query = "SELECT has_table_privilege(%s, oid, 'SELECT') FROM pg_class WHERE relnamespace = to_regnamespace(%s)"
    assert bench.value(query, outputs["reader"], case.schema), "the tenant's tables are open to the reader"

    assert engine.up().expect_ok().changes == {"same": 10}
    assert set(engine.refresh().expect_ok().changes) == {"same"}

    # Someone changes the role by hand: a refresh sees it, an update puts it right.
    bench.execute(f"ALTER ROLE {case.tenant} CONNECTION LIMIT 50")
    assert engine.refresh().expect_ok().changes["update"] == 1
    assert engine.preview().detailed_diff("tenant") == {"connectionLimit": "update"}
    changed = engine.up(program(limit=8, database="two")).expect_ok()
    assert changed.steps("tenant") == ("update",)
    assert changed.steps("database") == ("update",), "a rename is no replacement"
    assert bench.value("SELECT rolconnlimit FROM pg_roles WHERE rolname = %s", case.tenant) == 8
    assert bench.value("SELECT string_agg(datname, ' ') FROM pg_database WHERE datname LIKE %s",
                       f"%{case.tag}") == f"two_{case.tag}"  # fmt: skip

    stored = json.dumps(engine.state())
    assert outputs["password"] not in stored + changed.stdout + json.dumps(changed.events)

    # The schema is not empty: its removal is refused, and what it stands on waits for another try.
    refused = engine.destroy()
    assert not refused.ok
    assert "other objects depend on it" in "\n".join(refused.diagnostics)
    with bench.client(case.tenant, outputs["password"]) as tenant:
        tenant.execute(f"DROP TABLE {case.schema}.data".encode())
    engine.destroy().expect_ok()
    assert bench.value(role_there, case.tenant) == bench.value(role_there, outputs["reader"]) == 0
    assert bench.value("SELECT to_regnamespace(%s) IS NULL", case.schema)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        bench.value("SELECT 1", user=case.tenant)


def test_a_lock_that_another_session_keeps_ends_the_run_in_time(case: Case, bench: Bench) -> None:
    environment = {"PGOPTIONS": "-c lock_timeout=500ms"}
    with bench.client(bench.role()) as session:
        session.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        failed = case.engine.up(program(), environment=environment)
    assert not failed.ok
    assert "canceling statement due to lock timeout" in "\n".join(failed.diagnostics)
    case.engine.up(environment=environment).expect_ok()


def test_an_existing_role_is_not_adopted(case: Case, bench: Bench) -> None:
    bench.role(case.tenant, connectionLimit=3)
    failed = case.engine.up(program())
    assert not failed.ok
    assert f"a role named '{case.tenant}' exists already" in "\n".join(failed.diagnostics)
    assert "tenant" not in case.engine.resources()
    case.engine.destroy().expect_ok()
    assert bench.value("SELECT rolconnlimit FROM pg_roles WHERE rolname = %s", case.tenant) == 3


def test_import(case: Case, bench: Bench) -> None:
    bench.role(case.tenant, connectionLimit=3)
    failed = case.engine.adopt("postgresql:index/role:Role", "adopted", case.tenant)
    assert not failed.ok, "the default provider has no host"
    case.engine.up("""
        import json, pulumi, pulumi_postgresql as postgresql
        config = pulumi.Config()
        server = postgresql.Provider(
            "server", **json.loads(config.require("server")), password=config.require_secret("password"))
        adopted = postgresql.Role(
            "adopted", name=f"tenant_{config.require('tag')}", login=True, connection_limit=3,
            opts=pulumi.ResourceOptions(provider=server, import_=f"tenant_{config.require('tag')}"))
    """).expect_ok()
    entry = case.engine.resources()["adopted"]
    assert entry["id"] == case.tenant
    assert entry["outputs"]["connectionLimit"] == 3


def test_a_wrong_password_of_the_administrator(case: Case) -> None:
    case.engine.pulumi("config", "set", "--secret", "password", "not-the-password").expect_ok()
    failed = case.engine.up(program())
    assert not failed.ok
    said = failed.stdout + failed.stderr + json.dumps(failed.events)
    assert "password authentication failed" in said
    assert "not-the-password" not in said
