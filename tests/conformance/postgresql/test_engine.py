"""The postgresql types through the real engine."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import psycopg
import pytest

from tests.conformance.postgresql.bench import Bench
from tests.rehearsal.engine import EngineProject
from tests.temporary_sandbox import Sandbox

pytestmark = pytest.mark.sandbox

PROGRAM = """
    import json
    import os
    import pulumi
    import pulumi_postgresql as postgresql
    import pulumi_random as random

    config = json.loads(pulumi.Config().require("server"))
    server = postgresql.Provider("server", **config, password=pulumi.Config().require_secret("password"))
    opts = pulumi.ResourceOptions(provider=server)
    password = random.RandomPassword("password", length=24)
    tenant = postgresql.Role(
        "tenant", name="engine_tenant", login=True, password=password.result, connection_limit={limit}, opts=opts
    )
    schema = postgresql.Schema("schema", name="engine_schema", owner=tenant.name, opts=opts)
    reader = postgresql.Role("reader", opts=opts)
    member = postgresql.GrantRole("member", role=reader.name, grant_role=tenant.name, opts=opts)
    grant = postgresql.Grant("grant", role=reader.name, database=schema.database, schema=schema.name,
                             object_type="schema", privileges=["USAGE"], opts=opts)
    defaults = postgresql.DefaultPrivileges("defaults", role=reader.name, database=schema.database,
                                            owner=tenant.name, object_type="table", privileges=["SELECT"], opts=opts)
    database = postgresql.Database("database", name="engine_{database}", owner=tenant.name, opts=opts)
    pulumi.export("password", password.result)
    pulumi.export("reader", reader.name)
"""


@pytest.fixture
def project(sandbox: Sandbox, postgres: dict[str, str | int | bool], tmp_path: Path) -> EngineProject:
    keys = {"host": "host", "port": "port", "username": "username", "database": "database", "sslmode": "sslmode",
            "superuser": "superuser"}  # fmt: skip
    server = {keyword: postgres[key] for key, keyword in keys.items()}
    # The sandbox's backend is shared: the name is this test's own.
    made = EngineProject(
        sandbox.environment,
        tmp_path / "postgresql",
        name=f"postgresql-{uuid.uuid4().hex[:8]}",
        config={"server": json.dumps(server)},
    )
    made.pulumi("config", "set", "--secret", "password", str(postgres["password"])).expect_ok()
    return made


def test_a_whole_life(project: EngineProject, bench: Bench) -> None:
    preview = project.preview(PROGRAM.format(limit=5, database="one")).expect_ok()
    assert preview.changes["create"] == 10
    assert bench.value("SELECT count(*) FROM pg_roles WHERE rolname = 'engine_tenant'") == 0
    project.up().expect_ok()
    outputs = project.outputs()
    assert outputs["reader"].startswith("reader-")
    with bench.client("engine_tenant", outputs["password"]) as tenant:
        tenant.execute("CREATE TABLE engine_schema.data AS SELECT 1 AS n")
    query = "SELECT has_table_privilege(%s, 'engine_schema.data', 'SELECT')"
    assert bench.value(query, outputs["reader"]), "the tenant's tables are open to the reader by default"

    assert project.up().expect_ok().changes == {"same": 10}
    assert set(project.refresh().expect_ok().changes) == {"same"}

    # Someone changes the role by hand: a refresh sees it, an update puts it right.
    bench.execute("ALTER ROLE engine_tenant CONNECTION LIMIT 50")
    assert project.refresh().expect_ok().changes["update"] == 1
    assert project.preview().detailed_diff("tenant") == {"connectionLimit": "update"}
    changed = project.up(PROGRAM.format(limit=8, database="two")).expect_ok()
    assert changed.steps("tenant") == ("update",)
    assert changed.steps("database") == ("update",), "a rename is no replacement"
    assert bench.value("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'engine_tenant'") == 8
    assert bench.value("SELECT count(*) FROM pg_database WHERE datname IN ('engine_one', 'engine_two')") == 1

    stored = json.dumps(project.state())
    assert outputs["password"] not in stored + changed.stdout + json.dumps(changed.events)

    # The schema is not empty: its removal is refused, and the rest waits for another try.
    refused = project.destroy()
    assert not refused.ok
    assert "other objects depend on it" in "\n".join(refused.diagnostics)
    bench.execute("GRANT engine_tenant TO administrator; DROP TABLE engine_schema.data")
    project.destroy().expect_ok()
    assert bench.value("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'engine_%%' OR rolname = %s",
                       outputs["reader"]) == 0  # fmt: skip
    assert bench.value("SELECT to_regnamespace('engine_schema') IS NULL")


def test_an_existing_role_is_not_adopted(project: EngineProject, bench: Bench) -> None:
    bench.role("engine_tenant", connectionLimit=3)
    failed = project.up(PROGRAM.format(limit=5, database="one"))
    assert not failed.ok
    assert "a role named 'engine_tenant' exists already" in "\n".join(failed.diagnostics)
    assert "tenant" not in project.resources()
    project.destroy().expect_ok()
    assert bench.value("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'engine_tenant'") == 3
    bench.execute("DROP ROLE engine_tenant")


def test_a_wrong_password_of_the_administrator(project: EngineProject) -> None:
    project.pulumi("config", "set", "--secret", "password", "not-the-password").expect_ok()
    failed = project.up(PROGRAM.format(limit=5, database="one"))
    assert not failed.ok
    said = failed.stdout + failed.stderr + json.dumps(failed.events)
    assert "password authentication failed" in said
    assert "not-the-password" not in said
    project.destroy().expect_ok()


def test_the_table_is_live(project: EngineProject, bench: Bench) -> None:
    """What the engine made is what psycopg logs in with, and nothing of it is left afterwards."""
    project.up(PROGRAM.format(limit=1, database="one")).expect_ok()
    password = project.outputs()["password"]
    refused = pytest.raises(psycopg.OperationalError, match="too many connections")
    with bench.client("engine_tenant", password), refused, bench.client("engine_tenant", password):
        pass
    project.destroy().expect_ok()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        bench.value("SELECT 1", user="engine_tenant")
