"""Each type through its whole life, as the engine would drive it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from sandbox.providers.interface import UNKNOWN, ProviderError
from sandbox.providers.postgresql import table
from sandbox.providers.postgresql.table import DATABASE, DEFAULT_PRIVILEGES, GRANT, GRANT_ROLE, ROLE, SCHEMA, TABLE
from sandbox.providers.typed import Kind
from tests.conformance.postgresql.bench import PASSWORD, Bench, Made

pytestmark = pytest.mark.sandbox


@dataclass(frozen=True)
class Example:
    token: str
    inputs: Callable[[Bench], dict[str, Any]]
    seen: str
    """A query of another client that is true while it is there; %(name)s are outputs."""
    change: Mapping[str, Any] = field(default_factory=dict)
    changed: str = ""
    """The same, after the change."""
    replace: Mapping[str, Any] = field(default_factory=dict)
    named: bool = True
    """Whether a second one of the same name is refused."""


def grant_inputs(bench: Bench) -> dict[str, Any]:
    schema = bench.make(SCHEMA, name=bench.name("schema"))
    return {"role": bench.role(), "database": bench.database, "schema": schema.outputs["name"],
            "objectType": "schema", "privileges": ["CREATE", "USAGE"]}  # fmt: skip


EXAMPLES = (
    Example(
        ROLE,
        lambda bench: {
            "name": bench.name("tenant"),
            "login": True,
            "password": PASSWORD,
            "connectionLimit": 7,
            "searchPaths": ["Mixed Case", "plain"],
            "statementTimeout": 5000,
            "validUntil": "2040-01-01T00:00:00Z",
        },
        "SELECT rolcanlogin AND rolconnlimit = 7 AND rolvaliduntil = '2040-01-01Z' AND NOT rolsuper AND rolconfig @>"
        " ARRAY['search_path=\"Mixed Case\", plain', 'statement_timeout=5000'] FROM pg_roles WHERE rolname = %(name)s",
        change={"connectionLimit": 9, "createDatabase": True, "statementTimeout": None, "searchPaths": ["other"]},
        changed="SELECT rolconnlimit = 9 AND rolcreatedb AND rolconfig = ARRAY['search_path=other']"
        " FROM pg_roles WHERE rolname = %(name)s",
    ),
    Example(
        SCHEMA,
        lambda bench: {"name": bench.name("schema"), "owner": bench.role()},
        "SELECT nspowner::regrole::text = %(owner)s FROM pg_namespace WHERE nspname = %(name)s",
        replace={"database": "elsewhere"},
    ),
    Example(
        DATABASE,
        lambda bench: {"name": bench.name("database"), "owner": bench.role(), "connectionLimit": 3},
        "SELECT datdba::regrole::text = %(owner)s AND datconnlimit = 3 FROM pg_database WHERE datname = %(name)s",
        change={"connectionLimit": 4},
        changed="SELECT datconnlimit = 4 FROM pg_database WHERE datname = %(name)s",
        replace={"encoding": "LATIN1", "template": "template1", "lcCollate": "other", "lcCtype": "other"},
    ),
    Example(
        GRANT,
        grant_inputs,
        "SELECT has_schema_privilege(%(role)s, %(schema)s, 'CREATE')",
        change={"privileges": ["USAGE"]},
        changed="SELECT has_schema_privilege(%(role)s, %(schema)s, 'USAGE')"
        " AND NOT has_schema_privilege(%(role)s, %(schema)s, 'CREATE')",
        replace={"role": "public", "withGrantOption": True},
        named=False,
    ),
    Example(
        GRANT_ROLE,
        lambda bench: {"role": bench.role(), "grantRole": bench.role()},
        "SELECT pg_has_role(%(role)s, %(grantRole)s, 'MEMBER')",
        replace={"withAdminOption": True, "grantRole": "other"},
        named=False,
    ),
    Example(
        DEFAULT_PRIVILEGES,
        lambda bench: {
            "role": bench.role(),
            "database": bench.database,
            "owner": bench.role(),
            "objectType": "table",
            "privileges": ["SELECT", "INSERT"],
        },
        "SELECT defaclacl::text LIKE '%%' || %(role)s || '=ar/%%' FROM pg_default_acl"
        " WHERE defaclrole = %(owner)s::regrole",
        change={"privileges": ["SELECT"]},
        changed="SELECT defaclacl::text LIKE '%%' || %(role)s || '=r/%%' FROM pg_default_acl"
        " WHERE defaclrole = %(owner)s::regrole",
        replace={"objectType": "sequence", "owner": "administrator"},
        named=False,
    ),
)


def seen(bench: Bench, query: str, made: Made) -> bool:
    with bench.client() as connection:
        row = connection.execute(query.encode(), dict(made.outputs)).fetchone()
    return bool(row and row[0])


def unchanged(bench: Bench, made: Made) -> None:
    """A refresh sees what the state says, and the same program changes nothing."""
    found = bench.read(made)
    assert found is not None
    assert found.id == made.id
    assert found.inputs == made.inputs
    assert found.outputs == made.outputs
    assert not bench.diff(made).changes


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.token)
def test_a_whole_life(bench: Bench, example: Example) -> None:
    inputs = example.inputs(bench)
    resource, ready = bench.resource(example.token), bench.checked(example.token, inputs)
    predicted = bench.provider.create(resource, ready, preview=True, timeout=0)
    made = bench.make(example.token, **inputs)
    assert predicted.id == ""
    assert all(made.outputs[key] == value for key, value in predicted.outputs.items() if value is not UNKNOWN)
    assert seen(bench, example.seen, made)
    unchanged(bench, made)

    if example.named:
        with pytest.raises(ProviderError, match="exists already"):
            bench.make(example.token, **inputs)

    if example.change:
        diff = bench.diff(made, **example.change)
        assert {path.split("[")[0] for path in diff.changes} == set(example.change)
        assert not any(kind.replaces for kind in diff.changes.values())
        made = bench.update(made, **example.change)
        assert seen(bench, example.changed, made)
        unchanged(bench, made)
    for key, value in example.replace.items():
        assert any(kind.replaces for kind in bench.diff(made, **{key: value}).changes.values()), key

    # A creation whose end a killed engine did not see: the state holds its inputs only.
    pending = bench.provider.read(resource, made.id, made.inputs, made.inputs)
    assert pending is not None
    assert (pending.id, pending.inputs, pending.outputs) == (made.id, made.inputs, made.outputs)

    found = bench.provider.read(resource, made.id, {}, {})
    assert found is not None
    assert found.id == made.id
    imported = Made(resource, found.id, found.inputs, found.outputs)
    new = bench.checked(example.token, made.inputs, found.inputs)
    differing = bench.provider.diff(resource, found.id, imported.inputs, imported.outputs, new).changes
    # No catalog tells a password, nor in which of its spellings a time was written.
    assert set(differing) <= {"password", "validUntil"}

    bench.delete(made)
    assert not seen(bench, example.seen, made)
    gone = bench.read(made)
    # An object always has an access list: a grant that was taken back is an empty one.
    assert gone is None or (example.token == GRANT and gone.inputs["privileges"] == [])
    bench.delete(made)


def test_every_type_has_an_example() -> None:
    assert {example.token for example in EXAMPLES} == {entry.token for entry in TABLE} == set(table.KINDS)


def test_the_live_types() -> None:
    assert {entry.token for entry in TABLE if entry.kind is Kind.LIVE} == {
        "postgresql:index/database:Database",
        "postgresql:index/defaultPrivileges:DefaultPrivileges",
        "postgresql:index/grant:Grant",
        "postgresql:index/grantRole:GrantRole",
        "postgresql:index/role:Role",
        "postgresql:index/schema:Schema",
    }
