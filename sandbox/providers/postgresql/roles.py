"""`postgresql.Role`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from psycopg import sql

from sandbox.providers.interface import Properties, ProviderError, Value
from sandbox.providers.postgresql import mark
from sandbox.providers.postgresql.kinds import Attributes, integer, name, names
from sandbox.providers.postgresql.membership import acting_as, current_user, is_superuser, role_exists
from sandbox.providers.postgresql.server import Connection, Server

# Attribute, the option that sets it, the one that clears it, and the column that tells.
_SWITCHES: Final = (
    ("superuser", "SUPERUSER", "NOSUPERUSER", "rolsuper"),
    ("createDatabase", "CREATEDB", "NOCREATEDB", "rolcreatedb"),
    ("createRole", "CREATEROLE", "NOCREATEROLE", "rolcreaterole"),
    ("inherit", "INHERIT", "NOINHERIT", "rolinherit"),
    ("login", "LOGIN", "NOLOGIN", "rolcanlogin"),
    ("replication", "REPLICATION", "NOREPLICATION", "rolreplication"),
    ("bypassRowLevelSecurity", "BYPASSRLS", "NOBYPASSRLS", "rolbypassrls"),
)
# Attribute and the session variable that it sets for the role.
_TIMEOUTS: Final = (
    ("statementTimeout", "statement_timeout"),
    ("idleInTransactionSessionTimeout", "idle_in_transaction_session_timeout"),
)


class Roles:
    """https://www.pulumi.com/registry/packages/postgresql/api-docs/role/"""

    computed = frozenset[str]()
    unreadable = frozenset({"password", "passwordWo", "passwordWoVersion", "skipDropRole", "skipReassignOwned",
                            "encryptedPassword", "encrypted"})  # fmt: skip
    defaults: Mapping[str, Value] = {
        "superuser": False,
        "createDatabase": False,
        "createRole": False,
        "inherit": True,
        "login": False,
        "replication": False,
        "bypassRowLevelSecurity": False,
        "connectionLimit": -1,
        "validUntil": "infinity",
        "encryptedPassword": True,
        "skipDropRole": False,
        "skipReassignOwned": False,
    }

    def create(self, server: Server, inputs: Properties) -> str:
        role = name(inputs, "name")

        def work(connection: Connection) -> None:
            if mark.is_own(connection, "ROLE", role):
                # Made anew, as it is wanted now: nobody has been told of it.
                connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))
            elif role_exists(connection, role):
                raise ProviderError(f"a role named {role!r} exists already; import it, or choose another name")
            wanted = {**self.defaults, **inputs}
            options: list[sql.Composable] = [
                sql.SQL(on if wanted[attribute] else off) for attribute, on, off, _ in _SWITCHES
            ]
            options.append(sql.SQL("CONNECTION LIMIT {}").format(sql.Literal(integer(wanted["connectionLimit"]))))
            options.append(sql.SQL("VALID UNTIL {}").format(sql.Literal(wanted["validUntil"])))
            options.extend(_password(connection, role, inputs))
            connection.execute(sql.SQL("CREATE ROLE {} {}").format(sql.Identifier(role), sql.SQL(" ").join(options)))
            mark.leave(connection, "ROLE", role)
            _be_member_of(connection, role, names(inputs.get("roles")))
            _set_variables(connection, role, {}, inputs)

        server.change(work)
        return role

    def id(self, attributes: Properties) -> str:
        return name(attributes, "name")

    def locate(self, server: Server, id: str) -> Attributes | None:
        return {"name": id}

    def read(self, server: Server, known: Properties) -> Attributes | None:
        def work(connection: Connection) -> Attributes | None:
            if server.settings.superuser and not is_superuser(connection, current_user(connection)):
                raise ProviderError(
                    f"{server.settings.username} is no superuser and cannot read passwords; "
                    "set `superuser: false` in the provider's configuration"
                )
            wanted = known.get("validUntil")
            query = sql.SQL(
                "SELECT rolconnlimit, coalesce(rolvaliduntil::text, 'infinity'), coalesce(rolconfig, '{{}}'),"
                " coalesce(rolvaliduntil, 'infinity') = %s::timestamptz, {} FROM pg_roles WHERE rolname = %s"
            ).format(sql.SQL(", ").join(sql.Identifier(column) for *_, column in _SWITCHES))
            row = connection.execute(query, [wanted, name(known, "name")]).fetchone()
            if row is None:
                return None
            limit, until, config, same_time, *switches = row
            settings = dict(entry.split("=", 1) for entry in config)
            attributes: Attributes = {
                attribute: bool(value) for (attribute, *_), value in zip(_SWITCHES, switches, strict=True)
            }
            attributes |= {
                "name": name(known, "name"),
                "connectionLimit": limit,
                "validUntil": wanted if same_time else until,
                "searchPaths": _identifiers(settings.get("search_path", "")),
            }
            for attribute, variable in _TIMEOUTS:
                if variable in settings:
                    attributes[attribute] = int(settings[variable])
            attributes["roles"] = list(_member_of(connection, name(known, "name")))
            if "role" in settings:
                attributes["assumeRole"] = settings["role"]
            return attributes

        return server.read(work)

    def update(self, server: Server, old: Properties, new: Properties) -> None:
        before, wanted = {**self.defaults, **old}, {**self.defaults, **new}

        def work(connection: Connection) -> None:
            role = name(old, "name")
            if name(new, "name") != role:
                connection.execute(
                    sql.SQL("ALTER ROLE {} RENAME TO {}").format(
                        sql.Identifier(role), sql.Identifier(name(new, "name"))
                    )
                )
                role = name(new, "name")
            options: list[sql.Composable] = [
                sql.SQL(on if wanted[attribute] else off)
                for attribute, on, off, _ in _SWITCHES
                if wanted[attribute] != before[attribute]
            ]
            if wanted["connectionLimit"] != before["connectionLimit"]:
                options.append(sql.SQL("CONNECTION LIMIT {}").format(sql.Literal(integer(wanted["connectionLimit"]))))
            if wanted["validUntil"] != before["validUntil"]:
                options.append(sql.SQL("VALID UNTIL {}").format(sql.Literal(wanted["validUntil"])))
            if any(old.get(key) != new.get(key) for key in ("password", "passwordWoVersion")):
                options.extend(_password(connection, role, new))
            if options:
                connection.execute(sql.SQL("ALTER ROLE {} {}").format(sql.Identifier(role), sql.SQL(" ").join(options)))
            _be_member_of(connection, role, names(new.get("roles")))
            _set_variables(connection, role, old, new)

        server.change(work)

    def delete(self, server: Server, attributes: Properties) -> None:
        role = name(attributes, "name")

        def work(connection: Connection) -> None:
            if not role_exists(connection, role):
                return
            identifier = sql.Identifier(role)
            if not attributes.get("skipReassignOwned"):
                with acting_as(connection, [role]):
                    connection.execute(sql.SQL("REASSIGN OWNED BY {} TO CURRENT_USER").format(identifier))
                    connection.execute(sql.SQL("DROP OWNED BY {}").format(identifier))
            if not attributes.get("skipDropRole"):
                connection.execute(sql.SQL("DROP ROLE {}").format(identifier))

        server.change(work)


def _password(connection: Connection, role: str, inputs: Properties) -> list[sql.Composable]:
    """The password as the server keeps it: hashed here, so that no statement (and no server log) holds it in clear."""
    value = inputs.get("password") or inputs.get("passwordWo")
    if not isinstance(value, str):
        return []
    if value.upper() == "NULL":
        return [sql.SQL("PASSWORD NULL")]
    if value.startswith(("md5", "SCRAM-SHA-256$")):
        return [sql.SQL("PASSWORD {}").format(sql.Literal(value))]
    hashed = connection.pgconn.encrypt_password(value.encode(), role.encode(), b"scram-sha-256")
    return [sql.SQL("PASSWORD {}").format(sql.Literal(hashed.decode()))]


def _be_member_of(connection: Connection, role: str, wanted: Sequence[str]) -> None:
    """Of these roles and no others: whatever is changed of a role, the provider takes away the memberships that it does
    not name, a GrantRole's too (revokeRoles in github.com/cyrilgdn/terraform-provider-postgresql)."""
    member, present = sql.Identifier(role), set(_member_of(connection, role))
    for gone in sorted(present - set(wanted)):
        connection.execute(sql.SQL("REVOKE {} FROM {}").format(sql.Identifier(gone), member))
    for added in sorted(set(wanted) - present):
        connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(added), member))


def _member_of(connection: Connection, role: str) -> list[str]:
    rows = connection.execute(
        "SELECT DISTINCT pg_get_userbyid(roleid)::text FROM pg_auth_members"
        " WHERE member = (SELECT oid FROM pg_roles WHERE rolname = %s) ORDER BY 1",
        [role],
    ).fetchall()
    return [str(each) for (each,) in rows]


def _set_variables(connection: Connection, role: str, old: Properties, new: Properties) -> None:
    def put(variable: str, value: sql.Composable | None) -> None:
        target = sql.SQL("ALTER ROLE {} ").format(sql.Identifier(role))
        change = sql.SQL("RESET {}") if value is None else sql.SQL("SET {} TO ")
        connection.execute(target + change.format(sql.Identifier(variable)) + (value or sql.SQL("")))

    if names(old.get("searchPaths")) != names(new.get("searchPaths")):
        path = [sql.Identifier(schema) for schema in names(new.get("searchPaths"))]
        put("search_path", sql.SQL(", ").join(path) if path else None)
    for attribute, variable in _TIMEOUTS:
        if old.get(attribute) != new.get(attribute):
            value = new.get(attribute)
            put(variable, sql.Literal(integer(value)) if value else None)
    if old.get("assumeRole") != new.get("assumeRole"):
        assumed = new.get("assumeRole")
        put("role", sql.Identifier(str(assumed)) if assumed else None)


def _identifiers(text: str) -> list[Value]:
    """A list of identifiers as `search_path` holds it: `tenant, "Mixed Case"`."""
    found: list[Value] = []
    for part in text.split(", ") if text else []:
        quoted = part.startswith('"') and part.endswith('"')
        found.append(part[1:-1].replace('""', '"') if quoted else part)
    return found
