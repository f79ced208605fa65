"""`postgresql.Database`."""

from __future__ import annotations

from collections.abc import Mapping

from psycopg import sql

from sandbox.providers.interface import Properties, ProviderError, Value
from sandbox.providers.postgresql import mark
from sandbox.providers.postgresql.kinds import Attributes, integer, name, optional_name
from sandbox.providers.postgresql.membership import acting_as, current_user, join, leave
from sandbox.providers.postgresql.server import Connection, Server


class Databases:
    """https://www.pulumi.com/registry/packages/postgresql/api-docs/database/"""

    computed = frozenset({"owner", "template", "encoding", "lcCollate", "lcCtype", "tablespaceName", "isTemplate"})
    unreadable = frozenset({"template", "alterObjectOwnership"})
    defaults: Mapping[str, Value] = {
        "allowConnections": True,
        "connectionLimit": -1,
        "alterObjectOwnership": False,
    }

    def create(self, server: Server, inputs: Properties) -> str:
        database, owner = name(inputs, "name"), optional_name(inputs, "owner")
        unnamed = mark.unnamed()
        removals = server.read(lambda connection: _removals(connection, database, unnamed))
        options: list[sql.Composable] = [
            sql.SQL("TEMPLATE {}").format(sql.Identifier(optional_name(inputs, "template") or "template0")),
            sql.SQL("ENCODING {}").format(sql.Literal(optional_name(inputs, "encoding") or "UTF8")),
        ]
        for key, option in (("lcCollate", "LC_COLLATE"), ("lcCtype", "LC_CTYPE")):
            if value := optional_name(inputs, key):
                options.append(sql.SQL(option + " {}").format(sql.Literal(value)))
        if tablespace := optional_name(inputs, "tablespaceName"):
            options.append(sql.SQL("TABLESPACE {}").format(sql.Identifier(tablespace)))
        wanted = {**self.defaults, **inputs}
        options.append(sql.SQL("ALLOW_CONNECTIONS {}").format(sql.Literal(bool(wanted["allowConnections"]))))
        options.append(sql.SQL("CONNECTION LIMIT {}").format(sql.Literal(integer(wanted["connectionLimit"]))))
        options.append(sql.SQL("IS_TEMPLATE {}").format(sql.Literal(bool(inputs.get("isTemplate")))))
        # No transaction makes a database. One gives it its name and the mark at once, so that it has neither or both.
        statement = sql.SQL("CREATE DATABASE {} OWNER {} {}").format(
            sql.Identifier(unnamed), sql.Identifier(owner or server.read(current_user)), sql.SQL(" ").join(options)
        )
        _alone_as(server, owner, *removals, statement)

        def give_name(connection: Connection) -> None:
            with acting_as(connection, [owner] if owner else []):
                rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
                connection.execute(rename.format(sql.Identifier(unnamed), sql.Identifier(database)))
                mark.leave(connection, "DATABASE", database)

        server.change(give_name)
        return database

    def id(self, attributes: Properties) -> str:
        return name(attributes, "name")

    def locate(self, server: Server, id: str) -> Attributes | None:
        return {"name": id}

    def read(self, server: Server, known: Properties) -> Attributes | None:
        def work(connection: Connection) -> Attributes | None:
            row = connection.execute(
                "SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype, spcname,"
                " datallowconn, datistemplate, datconnlimit"
                " FROM pg_database JOIN pg_tablespace ON pg_tablespace.oid = dattablespace WHERE datname = %s",
                [name(known, "name")],
            ).fetchone()
            if row is None:
                return None
            keys = ("owner", "encoding", "lcCollate", "lcCtype", "tablespaceName")
            switches = ("allowConnections", "isTemplate", "connectionLimit")
            attributes: Attributes = {"name": name(known, "name"), **dict(zip((*keys, *switches), row, strict=True))}
            # "DEFAULT" is what the program may say; the server tells what it chose.
            attributes |= {key: known[key] for key in keys if str(known.get(key)).upper() == "DEFAULT"}
            return {"template": "template0", **attributes}

        return server.read(work)

    def update(self, server: Server, old: Properties, new: Properties) -> None:
        before, wanted = {**self.defaults, **old}, {**self.defaults, **new}
        database, renamed = name(old, "name"), name(new, "name")
        owner, new_owner = optional_name(old, "owner"), optional_name(new, "owner")
        if renamed != database:
            server.forget(database)
        if new_owner and owner and new_owner != owner and wanted["alterObjectOwnership"]:
            server.change(lambda connection: _reassign(connection, owner, new_owner), database)

        def work(connection: Connection) -> None:
            identifier = sql.Identifier(renamed)
            with acting_as(connection, [role for role in (owner, new_owner) if role]):
                if renamed != database:
                    connection.execute(
                        sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(database), identifier)
                    )
                for key, option in (
                    ("connectionLimit", "CONNECTION LIMIT"),
                    ("allowConnections", "ALLOW_CONNECTIONS"),
                    ("isTemplate", "IS_TEMPLATE"),
                ):
                    if key in wanted and wanted[key] != before.get(key):
                        value = integer(wanted[key]) if key == "connectionLimit" else bool(wanted[key])
                        statement = sql.SQL("ALTER DATABASE {} WITH " + option + " {}")
                        connection.execute(statement.format(identifier, sql.Literal(value)))
                if new_owner and new_owner != owner:
                    connection.execute(
                        sql.SQL("ALTER DATABASE {} OWNER TO {}").format(identifier, sql.Identifier(new_owner))
                    )

        server.change(work)
        tablespace = optional_name(new, "tablespaceName")
        if tablespace and tablespace != optional_name(old, "tablespaceName"):
            statement = sql.SQL("ALTER DATABASE {} SET TABLESPACE {}")
            server.alone(statement.format(sql.Identifier(renamed), sql.Identifier(tablespace)))

    def delete(self, server: Server, attributes: Properties) -> None:
        database = name(attributes, "name")
        server.forget(database)
        if server.read(lambda connection: database_exists(connection, database)):
            statements = _removal(database, template=bool(attributes.get("isTemplate")))
            _alone_as(server, optional_name(attributes, "owner"), *statements)


def database_exists(connection: Connection, database: str) -> bool:
    return connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone() is not None


def _removals(connection: Connection, database: str, unnamed: str) -> list[sql.Composed]:
    """What removes a database that this create had made, or begun, when its host was killed: nobody was told of it.

    Raises ProviderError where another database has the name.
    """
    found = connection.execute(
        "SELECT datname, datistemplate FROM pg_database WHERE datname IN (%s, %s)", [database, unnamed]
    ).fetchall()
    if any(made == database for made, _ in found) and not mark.is_own(connection, "DATABASE", database):
        raise ProviderError(f"a database named {database!r} exists already; import it, or choose another name")
    return [statement for made, template in found for statement in _removal(made, template=template)]


def _removal(database: str, *, template: bool) -> list[sql.Composed]:
    identifier = sql.Identifier(database)
    plain = [sql.SQL("ALTER DATABASE {} WITH IS_TEMPLATE false").format(identifier)] if template else []
    return [*plain, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier)]


def _alone_as(server: Server, owner: str | None, *statements: sql.Composed) -> None:
    """Run statements outside a transaction as a member of `owner`; the membership is taken back whatever happens."""
    joined = owner is not None and server.change(lambda connection: join(connection, owner))
    try:
        server.alone(*statements)
    finally:
        if joined and owner is not None:
            server.change(lambda connection: leave(connection, owner))


def _reassign(connection: Connection, owner: str, new_owner: str) -> None:
    # Reassigning what the administrator itself owns would move every database's objects along.
    if owner == current_user(connection):
        raise ProviderError(f"alterObjectOwnership cannot take objects from {owner}, who is logged in")
    with acting_as(connection, [owner, new_owner]):
        connection.execute(
            sql.SQL("REASSIGN OWNED BY {} TO {}").format(sql.Identifier(owner), sql.Identifier(new_owner))
        )
