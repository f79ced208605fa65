"""`postgresql.DefaultPrivileges`: what a role gets on objects that another role will make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from psycopg import sql

from sandbox.providers.interface import CheckFailure, Properties, Value
from sandbox.providers.postgresql import identity
from sandbox.providers.postgresql.databases import database_exists
from sandbox.providers.postgresql.kinds import Attributes, name, names, optional_name
from sandbox.providers.postgresql.membership import PUBLIC, acting_as, role_exists
from sandbox.providers.postgresql.privileges import allowed, as_wanted, grantee, grantee_number, keywords
from sandbox.providers.postgresql.schemas import schema_owner
from sandbox.providers.postgresql.server import Connection, Server

# pg_default_acl.defaclobjtype, and what acldefault() calls the same kind.
_KINDS: Final = {
    "table": ("r", "r"),
    "sequence": ("S", "s"),
    "function": ("f", "f"),
    "routine": ("f", "f"),
    "type": ("T", "T"),
    "schema": ("n", "n"),
}
TYPES: Final = tuple(_KINDS)


def rules(inputs: Properties) -> Iterable[CheckFailure]:
    """What the provider refuses of default privileges."""
    yield from allowed(inputs, TYPES)
    if inputs.get("objectType") == "schema" and inputs.get("schema"):
        yield CheckFailure("schema", "cannot be given where objectType is schema")
    if inputs.get("withGrantOption") is True and inputs.get("role") == PUBLIC:
        yield CheckFailure("withGrantOption", "cannot be true for the role public")


class DefaultPrivileges:
    """https://www.pulumi.com/registry/packages/postgresql/api-docs/defaultprivileges/"""

    computed = frozenset[str]()
    unreadable = frozenset[str]()
    defaults: Mapping[str, Value] = {"withGrantOption": False}

    def create(self, server: Server, inputs: Properties) -> str:
        self._put(server, inputs)
        return self.id(inputs)

    def update(self, server: Server, old: Properties, new: Properties) -> None:
        self._put(server, new)

    def id(self, attributes: Properties) -> str:
        schema = optional_name(attributes, "schema") or "noschema"
        owner, kind = name(attributes, "owner"), name(attributes, "objectType")
        return "_".join([name(attributes, "role"), name(attributes, "database"), schema, owner, kind])

    def locate(self, server: Server, id: str) -> Attributes | None:
        return identity.default_privileges(server, id, TYPES)

    def read(self, server: Server, known: Properties) -> Attributes | None:
        database, kind = name(known, "database"), name(known, "objectType")
        if not server.read(lambda connection: database_exists(connection, database)):
            return None

        def work(connection: Connection) -> Attributes | None:
            schema = optional_name(known, "schema")
            number = grantee_number(connection, name(known, "role"))
            owner = grantee_number(connection, name(known, "owner"))
            if number is None or owner is None or (schema and schema_owner(connection, schema) is None):
                return None
            code, default_code = _KINDS[kind]
            # Without a schema a missing entry means the built-in defaults; with one, that nothing is added to them.
            rows = connection.execute(
                "SELECT privilege_type, is_grantable FROM aclexplode(coalesce("
                " (SELECT defaclacl FROM pg_default_acl LEFT JOIN pg_namespace n ON n.oid = defaclnamespace"
                "  WHERE defaclrole::bigint = %(owner)s AND defaclobjtype = %(code)s"
                "  AND n.nspname IS NOT DISTINCT FROM %(schema)s),"
                ' CASE WHEN %(schema)s::text IS NULL THEN acldefault(%(default_code)s::"char", %(owner)s::oid)'
                " END)) WHERE grantee::bigint = %(number)s",
                {"owner": owner, "code": code, "default_code": default_code, "schema": schema, "number": number},
            ).fetchall()
            wanted = names(known.get("privileges"))
            if wanted and not rows:
                return None
            attributes: Attributes = {key: value for key, value in known.items() if key in _IDENTITY and value}
            attributes["privileges"] = list(as_wanted([privilege for privilege, _ in rows], wanted, kind))
            attributes["withGrantOption"] = bool(rows) and all(grantable for _, grantable in rows)
            return attributes

        return server.read(work, database)

    def delete(self, server: Server, attributes: Properties) -> None:
        """Revokes what was granted; what was taken from PUBLIC stays taken, as with the provider."""
        database = name(attributes, "database")
        if not server.read(lambda connection: database_exists(connection, database)):
            return

        def there(connection: Connection) -> bool:
            schema, role = optional_name(attributes, "schema"), name(attributes, "role")
            return (
                role_exists(connection, name(attributes, "owner"))
                and (role == PUBLIC or role_exists(connection, role))
                and (schema is None or schema_owner(connection, schema) is not None)
            )

        if server.read(there, database):
            self._put(server, {**attributes, "privileges": []})

    def _put(self, server: Server, inputs: Properties) -> None:
        schema, owner = optional_name(inputs, "schema"), name(inputs, "owner")
        target = sql.SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {} ").format(sql.Identifier(owner))
        if schema:
            target += sql.SQL("IN SCHEMA {} ").format(sql.Identifier(schema))
        kind = {"table": sql.SQL("TABLES"), "sequence": sql.SQL("SEQUENCES"), "function": sql.SQL("FUNCTIONS"),
                "routine": sql.SQL("ROUTINES"), "type": sql.SQL("TYPES"), "schema": sql.SQL("SCHEMAS")}[
            name(inputs, "objectType")]  # fmt: skip
        receiver = grantee(name(inputs, "role"))

        def work(connection: Connection) -> None:
            with acting_as(connection, [owner]):
                connection.execute(target + sql.SQL("REVOKE ALL ON {} FROM {}").format(kind, receiver))
                if privileges := names(inputs.get("privileges")):
                    grant = sql.SQL("GRANT {} ON {} TO {}").format(keywords(privileges), kind, receiver)
                    if inputs.get("withGrantOption"):
                        grant += sql.SQL(" WITH GRANT OPTION")
                    connection.execute(target + grant)

        server.change(work, name(inputs, "database"))


_IDENTITY: Final = frozenset({"role", "database", "owner", "schema", "objectType"})
