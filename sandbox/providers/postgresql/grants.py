"""`postgresql.Grant`: what one role (or PUBLIC) may do with a database, a schema, or objects in a schema."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from psycopg import sql

from sandbox.providers.interface import CheckFailure, Properties, ProviderError, Value
from sandbox.providers.postgresql import identity
from sandbox.providers.postgresql.databases import database_exists
from sandbox.providers.postgresql.kinds import Attributes, name, names, optional_name
from sandbox.providers.postgresql.membership import acting_as, database_owner
from sandbox.providers.postgresql.privileges import allowed, as_wanted, grantee, grantee_number, keywords
from sandbox.providers.postgresql.schemas import schema_owner
from sandbox.providers.postgresql.server import Connection, Server

TYPES: Final = ("database", "schema", "table", "sequence", "function", "procedure", "routine")
_ROUTINES: Final = {"function": ("f", "a", "w"), "procedure": ("p",), "routine": ("f", "a", "w", "p")}
# pg_class.relkind: ordinary, partitioned and foreign tables, views and materialised ones; sequences.
_RELATIONS: Final = {"table": ("r", "p", "f", "v", "m"), "sequence": ("S",)}


def rules(inputs: Properties) -> Iterable[CheckFailure]:
    """What the provider refuses of a grant."""
    yield from allowed(inputs, TYPES)
    kind = inputs.get("objectType")
    if kind in TYPES and kind != "database" and inputs.get("schema") is None:
        yield CheckFailure("schema", f"is required where objectType is {kind}")
    if kind in ("database", "schema") and inputs.get("objects"):
        yield CheckFailure("objects", f"cannot be given where objectType is {kind}")


class Grants:
    """https://www.pulumi.com/registry/packages/postgresql/api-docs/grant/

    A grant is the whole of what a role may do with its objects: what is there already and not asked for is revoked.
    """

    computed = frozenset[str]()
    unreadable = frozenset[str]()
    defaults: Mapping[str, Value] = {"withGrantOption": False}

    def create(self, server: Server, inputs: Properties) -> str:
        self._put(server, inputs)
        return self.id(inputs)

    def update(self, server: Server, old: Properties, new: Properties) -> None:
        self._put(server, new)

    def id(self, attributes: Properties) -> str:
        schema = [] if attributes["objectType"] == "database" else [name(attributes, "schema")]
        parts = [name(attributes, "role"), name(attributes, "database"), *schema, name(attributes, "objectType")]
        return "_".join([*parts, *sorted(names(attributes.get("objects")))])

    def locate(self, server: Server, id: str) -> Attributes | None:
        return identity.grant(server, id, TYPES)

    def read(self, server: Server, known: Properties) -> Attributes | None:
        database, kind = name(known, "database"), name(known, "objectType")
        if not server.read(lambda connection: database_exists(connection, database)):
            return None

        def work(connection: Connection) -> Attributes | None:
            number = grantee_number(connection, name(known, "role"))
            schema = optional_name(known, "schema")
            if number is None or (kind != "database" and schema_owner(connection, schema or "") is None):
                return None
            wanted = names(known.get("privileges"))
            chosen = names(known.get("objects"))
            held = list(_held(connection, known, number).items())
            # One object that differs shows in the whole, so that an update puts it right.
            differing = [pair for pair in held if as_wanted(pair[1], wanted, kind) != wanted]
            privileges = (differing or held or [("", dict.fromkeys(wanted, False))])[0][1]
            attributes: Attributes = {key: value for key, value in known.items() if key in _IDENTITY and value}
            if chosen:
                attributes["objects"] = list(chosen)
            attributes["privileges"] = list(as_wanted(privileges, wanted, kind))
            attributes["withGrantOption"] = bool(held and privileges) and all(privileges.values())
            return attributes

        return server.read(work, database)

    def delete(self, server: Server, attributes: Properties) -> None:
        if self.read(server, attributes) is not None:
            self._put(server, {**attributes, "privileges": []})

    def _put(self, server: Server, inputs: Properties) -> None:
        def work(connection: Connection) -> None:
            target, receiver = _target(connection, inputs), grantee(name(inputs, "role"))
            with acting_as(connection, _owners(connection, inputs)):
                # Together in one transaction: nobody sees the role without what it keeps.
                connection.execute(sql.SQL("REVOKE ALL ON {} FROM {}").format(target, receiver))
                if privileges := names(inputs.get("privileges")):
                    statement = sql.SQL("GRANT {} ON {} TO {}").format(keywords(privileges), target, receiver)
                    if inputs.get("withGrantOption"):
                        statement += sql.SQL(" WITH GRANT OPTION")
                    connection.execute(statement)

        server.change(work, name(inputs, "database"))


_IDENTITY: Final = frozenset({"role", "database", "schema", "objectType"})


def _target(connection: Connection, inputs: Properties) -> sql.Composable:
    kind = name(inputs, "objectType")
    if kind == "database":
        return sql.SQL("DATABASE {}").format(sql.Identifier(name(inputs, "database")))
    schema = name(inputs, "schema")
    if kind == "schema":
        return sql.SQL("SCHEMA {}").format(sql.Identifier(schema))
    word = {"table": sql.SQL("TABLE"), "sequence": sql.SQL("SEQUENCE"), "function": sql.SQL("FUNCTION"),
            "procedure": sql.SQL("PROCEDURE"), "routine": sql.SQL("ROUTINE")}[kind]  # fmt: skip
    if objects := names(inputs.get("objects")):
        return word + sql.SQL(" ") + sql.SQL(", ").join(_object(connection, schema, each) for each in objects)
    return sql.SQL("ALL {}S IN SCHEMA {}").format(word, sql.Identifier(schema))


def _object(connection: Connection, schema: str, text: str) -> sql.Composable:
    """A relation, or a routine, which may have its argument types behind it: `total(integer, text)`."""
    plain, bracket, _ = text.partition("(")
    if not bracket:
        return sql.Identifier(schema, plain)
    # The server reads the types, and writes the whole as it wants to see it.
    row = connection.execute(
        "SELECT to_regprocedure(quote_ident(%s) || '.' || quote_ident(%s) || %s)::text",
        [schema, plain, text[len(plain) :]],
    ).fetchone()
    if row is None or row[0] is None:
        raise ProviderError(f"there is no routine {text!r} in the schema {schema!r}")
    return sql.SQL(row[0])


def _owners(connection: Connection, inputs: Properties) -> list[str]:
    """Whose privileges it takes: the database's owner's, or those of the schema's and its objects' owners."""
    schema = optional_name(inputs, "schema")
    if inputs["objectType"] == "database" or schema is None:
        return [database_owner(connection)]
    owners = [schema_owner(connection, schema) or ""]
    if inputs["objectType"] != "schema":
        rows = connection.execute(
            "SELECT pg_get_userbyid(relowner) FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace"
            " WHERE nspname = %(schema)s"
            " UNION SELECT pg_get_userbyid(proowner) FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace"
            " WHERE nspname = %(schema)s",
            {"schema": schema},
        ).fetchall()
        owners.extend(str(owner) for (owner,) in rows)
    return [owner for owner in owners if owner]


def _held(connection: Connection, known: Properties, number: int) -> dict[str, dict[str, bool]]:
    """Object -> privilege -> whether it may be passed on, of the role with this number.

    An access list that was never touched is empty in the catalog and means the built-in one (`acldefault`).
    """
    kind, chosen = name(known, "objectType"), names(known.get("objects"))
    arguments: Sequence[Any]
    if kind == "database":
        source = "datname, coalesce(datacl, acldefault('d', datdba)) FROM pg_database WHERE datname = %s"
        arguments = [name(known, "database")]
    elif kind == "schema":
        source = "nspname, coalesce(nspacl, acldefault('n', nspowner)) FROM pg_namespace WHERE nspname = %s"
        arguments = [name(known, "schema")]
    elif kind in _ROUTINES:
        source = (
            "proname, coalesce(proacl, acldefault('f', proowner)) FROM pg_proc"
            " JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname = %s AND prokind = ANY (%s)"
        )
        arguments = [name(known, "schema"), list(_ROUTINES[kind])]
    else:
        source = (
            f"relname, coalesce(relacl, acldefault('{'s' if kind == 'sequence' else 'r'}', relowner)) FROM pg_class"
            " JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = %s AND relkind = ANY (%s)"
        )
        arguments = [name(known, "schema"), list(_RELATIONS[kind])]
    query = (
        f"SELECT object, privilege_type, bool_and(is_grantable) FROM (SELECT {source}) AS found (object, list)"
        " LEFT JOIN LATERAL (SELECT * FROM aclexplode(list) WHERE grantee = %s) AS privileges ON true"
        " GROUP BY object, privilege_type ORDER BY object"
    )
    held: dict[str, dict[str, bool]] = {}
    plain = {each.partition("(")[0] for each in chosen}
    for each, privilege, grantable in connection.execute(sql.SQL(query), [*arguments, number]).fetchall():
        if not plain or each in plain:
            entry = held.setdefault(each, {})
            if privilege is not None:
                entry[privilege] = grantable
    return held
