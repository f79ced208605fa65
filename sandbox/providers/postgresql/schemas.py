"""`postgresql.Schema`."""

from __future__ import annotations

from collections.abc import Mapping

from psycopg import sql

from sandbox.providers.interface import Properties, ProviderError, Value
from sandbox.providers.postgresql import mark
from sandbox.providers.postgresql.databases import database_exists
from sandbox.providers.postgresql.kinds import Attributes, name, optional_name
from sandbox.providers.postgresql.membership import acting_as, database_owner
from sandbox.providers.postgresql.server import Connection, Server


class Schemas:
    """https://www.pulumi.com/registry/packages/postgresql/api-docs/schema/

    Differs in one point: the provider takes an existing schema over unless `ifNotExists` is false; this never does.
    """

    computed = frozenset({"owner", "database"})
    unreadable = frozenset({"ifNotExists", "dropCascade"})
    defaults: Mapping[str, Value] = {"ifNotExists": True, "dropCascade": False}

    def create(self, server: Server, inputs: Properties) -> str:
        database = optional_name(inputs, "database") or server.database
        schema, owner = name(inputs, "name"), optional_name(inputs, "owner")

        def work(connection: Connection) -> None:
            made = schema_owner(connection, schema)
            if made is not None and not mark.is_own(connection, "SCHEMA", schema):
                raise ProviderError(
                    f"a schema named {schema!r} exists already in {database}; import it, or choose another name"
                )
            # The owner of the database may make schemas in it; whom the schema is given to must be oneself, too.
            with acting_as(connection, [database_owner(connection), *filter(None, (owner, made))]):
                if made is not None:  # Made anew, as it is wanted now: nobody has been told of it.
                    connection.execute(sql.SQL("DROP SCHEMA {}").format(sql.Identifier(schema)))
                statement = sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema))
                if owner:
                    statement += sql.SQL(" AUTHORIZATION {}").format(sql.Identifier(owner))
                connection.execute(statement)
                mark.leave(connection, "SCHEMA", schema)

        server.change(work, database)
        return f"{database}.{schema}"

    def id(self, attributes: Properties) -> str:
        return f"{attributes['database']}.{attributes['name']}"

    def locate(self, server: Server, id: str) -> Attributes | None:
        database, dot, schema = id.partition(".")
        if not dot:
            raise ProviderError(f"{id!r} is no id of a schema: `database.schema` is expected")
        return {"database": database, "name": schema}

    def read(self, server: Server, known: Properties) -> Attributes | None:
        database, schema = optional_name(known, "database") or server.database, name(known, "name")
        if not server.read(lambda connection: database_exists(connection, database)):
            return None
        owner = server.read(lambda connection: schema_owner(connection, schema), database)
        return None if owner is None else {"name": schema, "database": database, "owner": owner}

    def update(self, server: Server, old: Properties, new: Properties) -> None:
        def work(connection: Connection) -> None:
            schema, renamed = name(old, "name"), name(new, "name")
            before = schema_owner(connection, schema)
            if before is None:
                raise ProviderError(f"the schema {schema!r} is gone; refresh to make it anew")
            owner = optional_name(new, "owner") or before
            with acting_as(connection, [database_owner(connection), before, owner]):
                if renamed != schema:
                    connection.execute(
                        sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(sql.Identifier(schema), sql.Identifier(renamed))
                    )
                if owner != before:
                    connection.execute(
                        sql.SQL("ALTER SCHEMA {} OWNER TO {}").format(sql.Identifier(renamed), sql.Identifier(owner))
                    )

        server.change(work, optional_name(old, "database") or server.database)

    def delete(self, server: Server, attributes: Properties) -> None:
        database, schema = optional_name(attributes, "database") or server.database, name(attributes, "name")
        if not server.read(lambda connection: database_exists(connection, database)):
            return

        def work(connection: Connection) -> None:
            owner = schema_owner(connection, schema)
            if owner is None:
                return
            with acting_as(connection, [owner]):
                how = "CASCADE" if attributes.get("dropCascade") else "RESTRICT"
                connection.execute(sql.SQL("DROP SCHEMA {} ").format(sql.Identifier(schema)) + sql.SQL(how))

        server.change(work, database)


def schema_owner(connection: Connection, schema: str) -> str | None:
    """Who owns a schema of the database that is connected to; None where there is none of that name."""
    row = connection.execute(
        "SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = %s", [schema]
    ).fetchone()
    return None if row is None else str(row[0])
