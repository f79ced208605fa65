"""Roles, schemas and databases: names, ownership, passwords, removal."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sandbox.home import Home
from sandbox.providers.interface import UNKNOWN, ProviderError
from sandbox.providers.postgresql.provider import PostgresqlProvider
from sandbox.providers.postgresql.server import Server
from sandbox.providers.postgresql.table import DATABASE, GRANT_ROLE, ROLE, SCHEMA
from tests.conformance.postgresql.bench import PASSWORD, Bench
from tests.conformance.postgresql.conftest import IDENTIFIER
from tests.cut_off import Killed, cut_off, sent_again
from tests.temporary_sandbox import Sandbox

pytestmark = pytest.mark.sandbox


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Where the journal of creates lies."""
    return Home(tmp_path)


AWKWARD = 'Robert"); DROP TABLE students;--'


def test_the_administrator_is_no_superuser(bench: Bench) -> None:
    assert bench.value("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user") is False


def test_a_role_logs_in_with_its_password_and_no_other(bench: Bench) -> None:
    made = bench.make(ROLE, name=bench.name("login"), login=True, password="first ' \\ \" ö")
    role = str(made.outputs["name"])
    with bench.client(role, "first ' \\ \" ö") as connection:
        assert connection.execute("SELECT current_user").fetchone() == (role,)
    changed = bench.update(made, password="second")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"), bench.client(role, "first"):
        pass
    with bench.client(role, "second"):
        pass
    bench.delete(changed)
    with pytest.raises(psycopg.OperationalError), bench.client(role, "second"):
        pass


def test_the_connection_limit_holds(bench: Bench) -> None:
    role = bench.role(connectionLimit=1)
    refused = pytest.raises(psycopg.OperationalError, match="too many connections")
    with bench.client(role), refused, bench.client(role):
        pass


@pytest.mark.parametrize("token", [ROLE, SCHEMA, DATABASE])
def test_a_create_that_was_cut_off_is_sent_again_and_takes_nobody_elses(bench: Bench, home: Home, token: str) -> None:
    name, sent = bench.name("twice"), {ROLE: {"connectionLimit": 3}, SCHEMA: {}, DATABASE: {"connectionLimit": 3}}
    resource, inputs = bench.resource(token, name), {"name": name}
    with cut_off(home, resource.urn):
        bench.provider.create(resource, inputs, preview=False, timeout=0)
    # Another create of that name, and this one without its journal, are refused.
    for again in (sent_again(home, f"{resource.urn}-other"), nullcontext()):
        with again, pytest.raises(ProviderError, match="exists already"):
            bench.provider.create(resource, inputs, preview=False, timeout=0)
    with sent_again(home, resource.urn):  # as it is wanted by now
        made = bench.provider.create(resource, {**inputs, **sent[token]}, preview=False, timeout=0)
    assert {key: made.outputs[key] for key in sent[token]} == sent[token]
    bench.provider.delete(resource, made.id, inputs, made.outputs, timeout=0)


def test_a_database_that_had_no_name_yet_when_its_create_was_cut_off_is_made_anew(
    bench: Bench, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = bench.name("unnamed")
    resource, inputs = bench.resource(DATABASE, name), {"name": name}
    before = bench.value("SELECT count(*) FROM pg_database")
    with cut_off(home, resource.urn), monkeypatch.context() as patched:
        patched.setattr(Server, "change", killed)
        bench.provider.create(resource, inputs, preview=False, timeout=0)
    assert bench.value("SELECT count(*) FROM pg_database WHERE datname LIKE 'freehold-%'") == 1
    with sent_again(home, resource.urn):
        made = bench.provider.create(resource, inputs, preview=False, timeout=0)
    assert bench.value("SELECT count(*) FROM pg_database") == before + 1
    bench.provider.delete(resource, made.id, inputs, made.outputs, timeout=0)


def killed(*_: object) -> None:
    raise Killed


def test_names_are_quoted(bench: Bench) -> None:
    role = bench.role(AWKWARD)
    schema = bench.make(SCHEMA, name=AWKWARD, owner=role)
    assert bench.value("SELECT nspowner::regrole::text = quote_ident(%s) FROM pg_namespace WHERE nspname = %s",
                       AWKWARD, AWKWARD)  # fmt: skip
    bench.delete(schema)


def test_a_rename_keeps_the_resource(bench: Bench) -> None:
    role = bench.make(ROLE, name=bench.name("before"))
    renamed = bench.update(role, name=bench.name("after"))
    assert bench.value("SELECT count(*) FROM pg_roles WHERE rolname = %s", role.outputs["name"]) == 0
    assert bench.value("SELECT count(*) FROM pg_roles WHERE rolname = %s", renamed.outputs["name"]) == 1
    found = bench.read(renamed)
    assert found is not None
    assert found.id == renamed.outputs["name"]


def test_an_autonamed_role_has_the_resource_s_name(bench: Bench) -> None:
    inputs = bench.checked(ROLE, {})
    assert str(inputs["name"]).startswith("thing-")


def test_drift_is_seen_and_put_right(bench: Bench) -> None:
    made = bench.make(ROLE, name=bench.name("drift"), login=True, connectionLimit=5)
    bench.execute(f'ALTER ROLE "{made.id}" NOLOGIN CONNECTION LIMIT 99')
    found = bench.read(made)
    assert found is not None
    assert found.inputs["login"] is False
    assert found.inputs["connectionLimit"] == 99
    made.outputs = found.outputs
    bench.update(made)
    assert bench.value("SELECT rolcanlogin AND rolconnlimit = 5 FROM pg_roles WHERE rolname = %s", made.id)


def test_a_role_keeps_no_membership_that_it_does_not_name(bench: Bench) -> None:
    """So that a Role and a GrantRole of it do not go together, as with the provider."""
    group, other = bench.role(), bench.role()
    plain = bench.make(ROLE, name=bench.name("plain"))
    membership = bench.make(GRANT_ROLE, role=plain.id, grantRole=group)
    found = bench.read(plain)
    assert found is not None
    assert found.inputs["roles"] == [group]
    bench.update(plain, connectionLimit=2)
    assert bench.value("SELECT pg_has_role(%s, %s, 'MEMBER')", plain.id, group) is False
    assert bench.read(membership) is None

    naming = bench.make(ROLE, name=bench.name("naming"), roles=[group])
    changed = bench.update(naming, roles=[other])
    assert changed.outputs["roles"] == [other]
    assert bench.value("SELECT pg_has_role(%s, %s, 'MEMBER')", naming.id, group) is False


def test_the_administrator_is_a_member_of_an_owner_no_longer_than_needed(bench: Bench) -> None:
    owner = bench.role()
    schema = bench.make(SCHEMA, name=bench.name("owned"), owner=owner)
    assert bench.value("SELECT pg_has_role(current_user, %s, 'SET') OR pg_has_role(current_user, %s, 'USAGE')",
                       owner, owner) is False  # fmt: skip
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        bench.execute(f"CREATE TABLE {schema.outputs['name']}.intruder ()")
    bench.execute(f"CREATE TABLE {schema.outputs['name']}.own ()", user=owner)


def test_a_membership_that_was_granted_stays(bench: Bench) -> None:
    owner = bench.role()
    bench.make(GRANT_ROLE, role="administrator", grantRole=owner)
    bench.make(SCHEMA, name=bench.name("owned"), owner=owner)
    assert bench.value("SELECT pg_has_role(current_user, %s, 'SET')", owner)


def test_a_schema_with_something_in_it_is_kept_unless_told(bench: Bench) -> None:
    owner = bench.role()
    made = bench.make(SCHEMA, name=bench.name("full"), owner=owner)
    bench.execute(f"CREATE TABLE {made.outputs['name']}.precious AS SELECT 1", user=owner)
    with pytest.raises(ProviderError, match="other objects depend on it"):
        bench.delete(made)
    assert bench.value(f"SELECT count(*) FROM {made.outputs['name']}.precious", user=owner) == 1
    bench.delete(bench.update(made, dropCascade=True))
    assert bench.value("SELECT to_regnamespace(%s) IS NULL", made.outputs["name"])


def test_an_existing_schema_is_never_taken_over(bench: Bench) -> None:
    for if_not_exists in (True, False):
        with pytest.raises(ProviderError, match="exists already"):
            bench.make(SCHEMA, name="public", ifNotExists=if_not_exists)


def test_what_a_deleted_role_owned_goes_to_the_administrator(bench: Bench) -> None:
    made = bench.make(ROLE, name=bench.name("leaver"), login=True, password=PASSWORD)
    schema = bench.name("heritage")
    bench.execute(f"CREATE SCHEMA {schema}")
    bench.execute(f"GRANT CREATE, USAGE ON SCHEMA {schema} TO {made.id}")
    bench.execute(f"CREATE TABLE {schema}.work AS SELECT 42 AS answer", user=made.id)
    bench.delete(made)
    assert bench.value("SELECT count(*) FROM pg_roles WHERE rolname = %s", made.id) == 0
    assert bench.value(f"SELECT answer FROM {schema}.work") == 42


def test_a_role_that_owns_something_is_not_dropped_without_reassigning(bench: Bench) -> None:
    made = bench.make(ROLE, name=bench.name("keeper"), login=True, password=PASSWORD, skipReassignOwned=True)
    bench.make(SCHEMA, name=bench.name("kept"), owner=made.id)
    with pytest.raises(ProviderError, match="cannot be dropped because some objects depend on it"):
        bench.delete(made)
    bench.delete(bench.update(made, skipDropRole=True))
    assert bench.value("SELECT count(*) FROM pg_roles WHERE rolname = %s", made.id) == 1


def test_a_database_goes_although_someone_is_connected(bench: Bench) -> None:
    made = bench.make(DATABASE, name=bench.name("busy"))
    schema = bench.make(SCHEMA, name="inside", database=made.id)
    assert bench.read(schema) is not None
    with bench.client(database=made.id):
        bench.delete(made)
    assert bench.value("SELECT count(*) FROM pg_database WHERE datname = %s", made.id) == 0
    assert bench.read(schema) is None
    bench.delete(schema)


def test_a_database_changes_its_owner_with_what_is_in_it(bench: Bench) -> None:
    old, new = bench.role(), bench.role()
    made = bench.make(DATABASE, name=bench.name("moving"), owner=old, alterObjectOwnership=True)
    bench.execute("CREATE TABLE things ()", user=old, database=made.id)
    bench.update(made, owner=new)
    assert bench.value("SELECT datdba::regrole::text FROM pg_database WHERE datname = %s", made.id) == new
    query = "SELECT relowner::regrole::text FROM pg_class WHERE relname = 'things'"
    assert bench.value(query, database=made.id) == new


def test_many_at_once(bench: Bench) -> None:
    schema = bench.make(SCHEMA, name=bench.name("crowded"))

    def one(number: int) -> str:
        role = bench.role(f"crowd_{number}")
        for kind, target in (("schema", {"schema": schema.outputs["name"]}), ("database", {})):
            privileges = {"schema": ["USAGE"], "database": ["CONNECT"]}[kind]
            bench.make("postgresql:index/grant:Grant", role=role, database=bench.database, objectType=kind,
                       privileges=privileges, **target)  # fmt: skip
        return role

    with ThreadPoolExecutor(12) as pool:
        roles = list(pool.map(one, range(24)))
    for role in roles:
        assert bench.value("SELECT has_schema_privilege(%s, %s, 'USAGE')", role, schema.outputs["name"])


def test_no_password_is_told_by_an_error_a_log_or_the_configuration(sandbox: Sandbox, bench: Bench) -> None:
    secret = "zq8-unmistakable-secret"
    made = bench.make(ROLE, name=bench.name("quiet"), login=True, password=secret)
    bench.update(made, password=secret + "-2")
    with pytest.raises(ProviderError) as refused:
        bench.make(ROLE, name=made.id, login=True, password=secret)
    with pytest.raises(ProviderError) as superuser:
        bench.make(ROLE, name=bench.name("root"), superuser=True, password=secret)
    wrong = PostgresqlProvider()
    wrong.configure({**bench.config, "password": secret}, bench.environment)
    with pytest.raises(ProviderError, match="password authentication failed") as login:
        wrong.create(bench.resource(ROLE), {"name": "nobody"}, preview=False, timeout=0)
    for error in (refused, superuser, login):
        assert secret not in str(error.value)
        assert "\n" not in str(error.value)
    assert secret not in repr(wrong.__dict__["_server"].settings)
    logs = "".join(path.read_text() for path in sandbox.home.logs.glob(f"*{IDENTIFIER}*"))
    assert "CREATE ROLE" in logs, "the server logs every statement"
    assert secret not in logs


def test_a_replacement_under_the_program_s_name_deletes_first(bench: Bench) -> None:
    for given, first in (({"name": "chosen"}, True), ({}, False)):
        old = bench.checked(DATABASE, {**given, "encoding": "UTF8"})
        found = bench.provider.diff(bench.resource(DATABASE), "chosen", old, {}, {**old, "encoding": "LATIN1"})
        assert found.changes["encoding"].replaces
        assert found.delete_before_replace is first


def test_a_server_that_does_not_exist_yet(bench: Bench) -> None:
    provider = PostgresqlProvider()
    provider.configure({**bench.config, "host": UNKNOWN}, bench.environment)
    created = provider.create(bench.resource(SCHEMA), {"name": "x"}, preview=True, timeout=0)
    assert created.outputs["owner"] is UNKNOWN
    assert created.outputs["database"] == bench.database
    with pytest.raises(ProviderError, match="host will be known after creation"):
        provider.read(bench.resource(SCHEMA), "shared.x", {}, {})


def test_the_environment_fills_in_the_configuration(bench: Bench) -> None:
    variables = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "username", "PGPASSWORD": "password",
                 "PGDATABASE": "database", "PGSSLMODE": "sslmode"}  # fmt: skip
    provider = PostgresqlProvider()
    environment = {variable: str(bench.config[key]) for variable, key in variables.items()}
    provider.configure({"superuser": False}, {**bench.environment, **environment})
    role = bench.role()
    found = provider.read(bench.resource(ROLE), role, {}, {})
    assert found is not None
    assert found.outputs["login"] is True
    provider.close()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"sslmode": "disable"}, "no pg_hba.conf entry|no encryption"),
        ({"port": 1}, "refused"),
        ({"database": "missing"}, 'database "missing" does not exist'),
        ({"superuser": True}, "is no superuser and cannot read passwords"),
    ],
)
def test_a_wrong_configuration_is_one_clear_line(bench: Bench, config: dict[str, Any], message: str) -> None:
    provider = PostgresqlProvider()
    provider.configure({**bench.config, **config}, bench.environment)
    with pytest.raises(ProviderError, match=message) as error:
        provider.read(bench.resource(ROLE), "administrator", {}, {})
    assert "\n" not in str(error.value)
    provider.close()


@pytest.mark.parametrize(
    ("inputs", "property"),
    [
        ({"name": "x" * 64}, "name"),
        ({"name": "x", "connectionLimit": -2}, "connectionLimit"),
        ({"name": "x", "password": "a", "passwordWo": "b"}, "password"),
        ({"name": "x", "loggin": True}, "loggin"),
    ],
)
def test_wrong_roles_are_refused_before_they_reach_the_server(
    bench: Bench, inputs: dict[str, Any], property: str
) -> None:
    assert [failure.property for failure in bench.failures(ROLE, **inputs)] == [property]


def test_options_that_are_not_served_are_named(bench: Bench) -> None:
    failures = bench.failures(SCHEMA, name="x", policies=[{"usage": True}])
    assert [failure.property for failure in failures] == ["policies"]
    refused = bench.provider.check_config({"clientcert": '{"cert": "a", "key": "b"}'}).failures
    assert [failure.property for failure in refused] == ["clientcert"]
