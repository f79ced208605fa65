"""`postgresql.GrantRole`: membership of one role in another."""

from __future__ import annotations

from collections.abc import Mapping

from psycopg import sql

from sandbox.providers.interface import Properties, ProviderError, Value
from sandbox.providers.postgresql import identity
from sandbox.providers.postgresql.kinds import Attributes, name
from sandbox.providers.postgresql.membership import role_exists
from sandbox.providers.postgresql.server import Connection, Server


class RoleGrants:
    """https://www.pulumi.com/registry/packages/postgresql/api-docs/grantrole/"""

    computed = frozenset[str]()
    unreadable = frozenset[str]()
    defaults: Mapping[str, Value] = {"withAdminOption": False}

    def create(self, server: Server, inputs: Properties) -> str:
        def work(connection: Connection) -> None:
            _revoke(connection, inputs)
            statement = sql.SQL("GRANT {} TO {}").format(
                sql.Identifier(name(inputs, "grantRole")), sql.Identifier(name(inputs, "role"))
            )
            if inputs.get("withAdminOption"):
                statement += sql.SQL(" WITH ADMIN OPTION")
            connection.execute(statement)

        server.change(work)
        return self.id(inputs)

    def id(self, attributes: Properties) -> str:
        admin = "true" if attributes.get("withAdminOption") else "false"
        return f"{attributes['role']}_{attributes['grantRole']}_{admin}"

    def locate(self, server: Server, id: str) -> Attributes | None:
        return identity.role_grant(server, id)

    def read(self, server: Server, known: Properties) -> Attributes | None:
        def work(connection: Connection) -> Attributes | None:
            # Whoever creates a role administers it by a membership that neither inherits nor sets: not one of ours.
            row = connection.execute(
                "SELECT bool_or(admin_option) FROM pg_auth_members"
                " WHERE pg_get_userbyid(member) = %s AND pg_get_userbyid(roleid) = %s"
                " AND (inherit_option OR set_option)",
                [name(known, "role"), name(known, "grantRole")],
            ).fetchone()
            if row is None or row[0] is None:
                return None
            return {
                "role": name(known, "role"),
                "grantRole": name(known, "grantRole"),
                "withAdminOption": bool(row[0]),
            }

        return server.read(work)

    def update(self, server: Server, old: Properties, new: Properties) -> None:
        raise ProviderError("a membership is replaced, never updated")

    def delete(self, server: Server, attributes: Properties) -> None:
        server.change(lambda connection: _revoke(connection, attributes))


def _revoke(connection: Connection, attributes: Properties) -> None:
    member, role = name(attributes, "role"), name(attributes, "grantRole")
    if role_exists(connection, member) and role_exists(connection, role):
        connection.execute(sql.SQL("REVOKE {} FROM {}").format(sql.Identifier(role), sql.Identifier(member)))
