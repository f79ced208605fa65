"""Grants: what another client may and may not do because of them."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from sandbox.providers.interface import UNKNOWN, ProviderError
from sandbox.providers.postgresql.table import DATABASE, DEFAULT_PRIVILEGES, GRANT, GRANT_ROLE, SCHEMA
from tests.conformance.postgresql.bench import Bench, Made

pytestmark = pytest.mark.sandbox

DENIED = psycopg.errors.InsufficientPrivilege


@pytest.fixture
def schema(bench: Bench) -> str:
    return str(bench.make(SCHEMA, name=bench.name("space")).outputs["name"])


def grant(bench: Bench, role: str, kind: str, privileges: list[str], **inputs: Any) -> Made:
    target = {"database": bench.database} | inputs
    return bench.make(GRANT, role=role, objectType=kind, privileges=privileges, **target)


def test_taking_connect_from_public(bench: Bench) -> None:
    database = bench.make(DATABASE, name=bench.name("closed")).id
    outsider = bench.role()
    with bench.client(outsider, database=database):
        pass
    made = grant(bench, "public", "database", [], database=database)
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        bench.value("SELECT 1", user=outsider, database=database)
    # Positive control: who is let in by name comes in.
    grant(bench, outsider, "database", ["CONNECT"], database=database)
    assert bench.value("SELECT 1", user=outsider, database=database) == 1

    found = bench.read(made)
    assert found is not None
    assert found.outputs["privileges"] == []
    bench.execute(f"GRANT TEMPORARY ON DATABASE {database} TO PUBLIC")
    drifted = bench.read(made)
    assert drifted is not None
    assert drifted.inputs["privileges"] == ["TEMPORARY"]


def test_an_untouched_database_is_read_as_open_to_public(bench: Bench) -> None:
    database = bench.make(DATABASE, name=bench.name("open")).id
    found = bench.provider.read(bench.resource(GRANT), f"public_{database}_database", {}, {})
    assert found is not None
    assert found.outputs["privileges"] == ["CONNECT", "TEMPORARY"]


def test_a_schema_and_its_tables(bench: Bench, schema: str) -> None:
    bench.execute(f"CREATE TABLE {schema}.one AS SELECT 1 AS n; CREATE TABLE {schema}.two AS SELECT 2 AS n")
    reader = bench.role()
    with pytest.raises(DENIED, match="permission denied for schema"):
        bench.value(f"SELECT n FROM {schema}.one", user=reader)
    usage = grant(bench, reader, "schema", ["USAGE"], schema=schema)
    with pytest.raises(DENIED, match="permission denied for table"):
        bench.value(f"SELECT n FROM {schema}.one", user=reader)

    single = grant(bench, reader, "table", ["SELECT"], schema=schema, objects=["one"])
    assert bench.value(f"SELECT n FROM {schema}.one", user=reader) == 1
    with pytest.raises(DENIED):
        bench.value(f"SELECT n FROM {schema}.two", user=reader)
    bench.delete(single)
    with pytest.raises(DENIED):
        bench.value(f"SELECT n FROM {schema}.one", user=reader)

    every = grant(bench, reader, "table", ["ALL"], schema=schema)
    assert every.outputs["privileges"] == ["ALL"]
    bench.execute(f"INSERT INTO {schema}.two VALUES (3)", user=reader)
    reduced = bench.update(every, privileges=["SELECT"])
    with pytest.raises(DENIED):
        bench.execute(f"INSERT INTO {schema}.two VALUES (4)", user=reader)
    assert bench.value(f"SELECT max(n) FROM {schema}.two", user=reader) == 3

    bench.execute(f"CREATE TABLE {schema}.three ()")
    drifted = bench.read(reduced)
    assert drifted is not None
    assert drifted.inputs["privileges"] == [], "a table that came later lacks the privilege"
    reduced.outputs = drifted.outputs
    bench.update(reduced)
    again = bench.read(reduced)
    assert again is not None
    assert again.inputs["privileges"] == ["SELECT"]
    bench.delete(usage)
    with pytest.raises(DENIED, match="permission denied for schema"):
        bench.value(f"SELECT n FROM {schema}.one", user=reader)


def test_objects_of_a_tenant_are_granted_by_the_administrator(bench: Bench) -> None:
    tenant, reader = bench.role(), bench.role()
    schema = str(bench.make(SCHEMA, name=bench.name("own"), owner=tenant).outputs["name"])
    bench.execute(f"CREATE TABLE {schema}.data AS SELECT 7 AS n", user=tenant)
    grant(bench, reader, "schema", ["USAGE"], schema=schema)
    grant(bench, reader, "table", ["SELECT"], schema=schema)
    assert bench.value(f"SELECT n FROM {schema}.data", user=reader) == 7


def test_routines_are_open_to_public_until_taken(bench: Bench, schema: str) -> None:
    bench.execute(f"CREATE FUNCTION {schema}.secret(integer) RETURNS integer LANGUAGE sql AS 'SELECT 42'")
    caller = bench.role()
    grant(bench, caller, "schema", ["USAGE"], schema=schema)
    assert bench.value(f"SELECT {schema}.secret(1)", user=caller) == 42
    taken = grant(bench, "public", "function", [], schema=schema)
    with pytest.raises(DENIED):
        bench.value(f"SELECT {schema}.secret(1)", user=caller)
    assert bench.read(taken) is not None
    grant(bench, caller, "function", ["EXECUTE"], schema=schema, objects=["secret(integer)"])
    assert bench.value(f"SELECT {schema}.secret(1)", user=caller) == 42


def test_sequences(bench: Bench, schema: str) -> None:
    bench.execute(f"CREATE SEQUENCE {schema}.numbers")
    user = bench.role()
    grant(bench, user, "schema", ["USAGE"], schema=schema)
    with pytest.raises(DENIED):
        bench.value(f"SELECT nextval('{schema}.numbers')", user=user)
    grant(bench, user, "sequence", ["USAGE"], schema=schema)
    assert bench.value(f"SELECT nextval('{schema}.numbers')", user=user) == 1


def test_the_grant_option(bench: Bench, schema: str) -> None:
    passing, other = bench.role(), bench.role()
    made = grant(bench, passing, "schema", ["USAGE"], schema=schema, withGrantOption=True)
    assert made.outputs["withGrantOption"] is True
    bench.execute(f"GRANT USAGE ON SCHEMA {schema} TO {other}", user=passing)
    assert bench.value("SELECT has_schema_privilege(%s, %s, 'USAGE')", other, schema)


@pytest.mark.parametrize("kind", ["table", "sequence", "function", "type"])
def test_default_privileges_reach_what_is_made_later(bench: Bench, kind: str) -> None:
    tenant, reader = bench.role(), bench.role()
    schema = str(bench.make(SCHEMA, name=bench.name("later"), owner=tenant).outputs["name"])
    grant(bench, reader, "schema", ["USAGE"], schema=schema)
    base = {"database": bench.database, "owner": tenant, "objectType": kind}
    privilege = {"table": "SELECT", "sequence": "USAGE", "function": "EXECUTE", "type": "USAGE"}[kind]
    # By default everybody may call functions and use types: taken away first.
    closed = bench.make(DEFAULT_PRIVILEGES, role="public", privileges=[], **base)
    granted = bench.make(DEFAULT_PRIVILEGES, role=reader, privileges=[privilege], schema=schema, **base)
    bench.execute(
        f"CREATE TABLE {schema}.t AS SELECT 1 AS n; CREATE SEQUENCE {schema}.s; CREATE TYPE {schema}.y AS (n integer);"
        f"CREATE FUNCTION {schema}.f() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        user=tenant,
    )
    query = {
        "table": f"SELECT n FROM {schema}.t",
        "sequence": f"SELECT nextval('{schema}.s')",
        "function": f"SELECT {schema}.f()",
        "type": f"CREATE TEMPORARY TABLE tmp (y {schema}.y)",
    }[kind]
    bench.value(query, user=reader)
    with pytest.raises(DENIED):
        bench.value(query, user=_with_usage(bench, schema))
    for made in (closed, granted):
        found = bench.read(made)
        assert found is not None
        assert found.outputs == made.outputs
    bench.delete(granted)
    assert bench.read(granted) is None


def _with_usage(bench: Bench, schema: str) -> str:
    role = bench.role()
    grant(bench, role, "schema", ["USAGE"], schema=schema)
    return role


def test_built_in_default_privileges_are_told_apart_from_none(bench: Bench) -> None:
    tenant = bench.role()
    made = bench.make(DEFAULT_PRIVILEGES, role="public", database=bench.database, owner=tenant,
                      objectType="function", privileges=[])  # fmt: skip
    with bench.client(tenant) as connection:
        connection.execute("ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC")
    found = bench.read(made)
    assert found is not None
    assert found.inputs["privileges"] == ["EXECUTE"]


def test_a_grant_is_gone_with_its_role_its_schema_or_its_database(bench: Bench, schema: str) -> None:
    role = bench.role()
    made = grant(bench, role, "schema", ["USAGE"], schema=schema)
    bench.execute(f"DROP SCHEMA {schema}; DROP ROLE {role}")
    assert bench.read(made) is None
    bench.delete(made)
    defaults = bench.make(DEFAULT_PRIVILEGES, role=bench.role(), database=bench.database, owner="administrator",
                          objectType="table", privileges=["SELECT"])  # fmt: skip
    bench.execute(f"ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM {defaults.outputs['role']}")
    assert bench.read(defaults) is None


def test_membership_without_the_creator_s_right_to_administer(bench: Bench) -> None:
    role = bench.role()
    # Who creates a role may administer it: that is no membership yet.
    assert bench.provider.read(bench.resource(GRANT_ROLE), f"administrator_{role}_false", {}, {}) is None
    made = bench.make(GRANT_ROLE, role="administrator", grantRole=role)
    assert made.outputs["withAdminOption"] is False
    bench.delete(made)
    assert bench.read(made) is None
    bench.execute(f"ALTER ROLE {role} CONNECTION LIMIT 3")


def test_an_id_with_two_readings_is_refused(bench: Bench) -> None:
    role, database = bench.name("r"), bench.name("d")
    bench.role(role)
    bench.role(f"{role}_x")
    bench.make(DATABASE, name=database)
    bench.make(DATABASE, name=f"x_{database}")
    # The role `r_x` in the database `d`, or the role `r` in `x_d`.
    with pytest.raises(ProviderError, match="2 ways"):
        bench.provider.read(bench.resource(GRANT), f"{role}_x_{database}_database", {}, {})


def test_an_id_of_nothing(bench: Bench) -> None:
    for token in (GRANT, GRANT_ROLE, DEFAULT_PRIVILEGES):
        assert bench.provider.read(bench.resource(token), "nobody_nowhere_database", {}, {}) is None
    with pytest.raises(ProviderError, match=r"database\.schema"):
        bench.provider.read(bench.resource(SCHEMA), "no-dot", {}, {})


def test_an_import_finds_objects(bench: Bench, schema: str) -> None:
    bench.execute(f"CREATE TABLE {schema}.a_b (); CREATE TABLE {schema}.c ()")
    made = grant(bench, bench.role(), "table", ["SELECT"], schema=schema, objects=["c", "a_b"])
    found = bench.provider.read(made.resource, made.id, {}, {})
    assert found is not None
    assert found.inputs == {**made.inputs, "objects": ["a_b", "c"]}


@pytest.mark.parametrize(
    ("token", "inputs", "property"),
    [
        (GRANT, {"objectType": "spaceship"}, "objectType"),
        (GRANT, {"objectType": "schema"}, "schema"),
        (GRANT, {"objectType": "database", "privileges": ["SELECT"]}, "privileges[0]"),
        (GRANT, {"objectType": "schema", "schema": "s", "objects": ["o"]}, "objects"),
        (GRANT, {"objectType": "table", "schema": "s", "columns": ["c"]}, "columns"),
        (DEFAULT_PRIVILEGES, {"objectType": "schema", "schema": "s", "owner": "o"}, "schema"),
        (DEFAULT_PRIVILEGES, {"objectType": "table", "owner": "o", "role": "public", "withGrantOption": True},
         "withGrantOption"),
        (DEFAULT_PRIVILEGES, {"objectType": "table"}, "owner"),
    ],
)  # fmt: skip
def test_wrong_grants_are_refused_before_they_reach_the_server(
    bench: Bench, token: str, inputs: dict[str, Any], property: str
) -> None:
    whole = {"role": "r", "database": "d", "privileges": []} | inputs
    assert [failure.property for failure in bench.failures(token, **whole)] == [property]


def test_what_is_unknown_yet_is_not_refused(bench: Bench) -> None:
    whole = dict.fromkeys(("role", "database", "schema", "objectType", "privileges"), UNKNOWN)
    assert bench.failures(GRANT, **whole) == []
    assert bench.failures(GRANT, **whole | {"objectType": "table", "privileges": [UNKNOWN]}) == []
