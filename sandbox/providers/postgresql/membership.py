"""Working for other roles without being a superuser, as on RDS.

Whoever creates a role may administer it and may yet not act as it: since Postgres 16 that takes a membership WITH SET,
which an administrator of the role can grant itself (https://www.postgresql.org/docs/current/sql-createrole.html).
The provider grants it for the length of one transaction, and so does this.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from psycopg import sql

from sandbox.providers.postgresql.server import Connection

PUBLIC = "public"
_DATABASE_OWNER = "pg_database_owner"


def current_user(connection: Connection) -> str:
    (user,) = connection.execute("SELECT current_user").fetchone() or ("",)
    return str(user)


def is_superuser(connection: Connection, role: str) -> bool:
    row = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = %s", [role]).fetchone()
    return row is not None and bool(row[0])


def role_exists(connection: Connection, role: str) -> bool:
    return connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone() is not None


def database_owner(connection: Connection) -> str:
    """Who owns the database that is connected to."""
    (owner,) = connection.execute(
        "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
    ).fetchone() or ("",)
    return str(owner)


@contextmanager
def acting_as(connection: Connection, roles: Iterable[str]) -> Iterator[None]:
    """Be a member of `roles` for the body, which is inside a transaction; memberships held before stay."""
    granted = [role for role in dict.fromkeys(roles) if join(connection, role)]
    yield
    for role in granted:
        if role_exists(connection, role):
            leave(connection, role)


def join(connection: Connection, role: str) -> bool:
    """Grant a role to the current user. False where it is not needed, or where no non-superuser could."""
    user = current_user(connection)
    if role == _DATABASE_OWNER:
        role = database_owner(connection)
    if role == user or is_superuser(connection, user) or is_superuser(connection, role):
        return False
    held = connection.execute(
        "SELECT pg_has_role(current_user, %(role)s, 'SET') AND pg_has_role(current_user, %(role)s, 'USAGE')",
        {"role": role},
    ).fetchone()
    if held == (True,):
        return False
    connection.execute(sql.SQL("GRANT {} TO CURRENT_USER WITH INHERIT TRUE, SET TRUE").format(sql.Identifier(role)))
    return True


def leave(connection: Connection, role: str) -> None:
    """Take back what `join` granted; the right to administer the role was granted by another and stays."""
    if role == _DATABASE_OWNER:
        role = database_owner(connection)
    connection.execute(sql.SQL("REVOKE {} FROM CURRENT_USER GRANTED BY CURRENT_USER").format(sql.Identifier(role)))
