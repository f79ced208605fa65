"""Privileges: which there are for a kind of object, how a grant reads in SQL, and what an access list holds.

https://www.postgresql.org/docs/current/ddl-priv.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from psycopg import sql

from sandbox.providers.interface import CheckFailure, Properties, Unknown
from sandbox.providers.postgresql.membership import PUBLIC
from sandbox.providers.postgresql.server import Connection

ALL: Final = "ALL"

# MAINTAIN came with Postgres 17; older servers are not in the sandbox.
PRIVILEGES: Final[dict[str, tuple[str, ...]]] = {
    "database": ("CREATE", "CONNECT", "TEMPORARY"),
    "schema": ("CREATE", "USAGE"),
    "table": ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN"),
    "sequence": ("USAGE", "SELECT", "UPDATE"),
    "function": ("EXECUTE",),
    "procedure": ("EXECUTE",),
    "routine": ("EXECUTE",),
    "type": ("USAGE",),
}


def allowed(inputs: Properties, types: Sequence[str]) -> Iterable[CheckFailure]:
    """What is wrong with `objectType` and `privileges`; what is unknown yet passes."""
    kind, privileges = inputs.get("objectType"), inputs.get("privileges")
    if not isinstance(kind, str):
        return
    if kind not in types:
        yield CheckFailure("objectType", f"expected one of {', '.join(types)}; got {kind!r}")
        return
    for index, privilege in enumerate(privileges if isinstance(privileges, Sequence) else ()):
        if not isinstance(privilege, Unknown) and privilege not in (ALL, *PRIVILEGES[kind]):
            yield CheckFailure(f"privileges[{index}]", f"{privilege!r} is no privilege on a {kind}")


def keywords(privileges: Iterable[str]) -> sql.Composable:
    """Privileges as SQL; checked against the table before, as they cannot be quoted."""
    known = {ALL, *(privilege for each in PRIVILEGES.values() for privilege in each)}
    chosen = [privilege for privilege in privileges if privilege in known]
    return sql.SQL(", ").join(sql.SQL(privilege) for privilege in chosen)


def grantee(role: str) -> sql.Composable:
    """A role as the receiver of a grant; `public` stands for every role."""
    return sql.SQL("PUBLIC") if role == PUBLIC else sql.Identifier(role)


def grantee_number(connection: Connection, role: str) -> int | None:
    """The role's number in access lists, 0 for PUBLIC; None where there is no such role."""
    if role == PUBLIC:
        return 0
    row = connection.execute("SELECT oid::bigint FROM pg_roles WHERE rolname = %s", [role]).fetchone()
    return None if row is None else int(row[0])


def as_wanted(found: Iterable[str], wanted: Sequence[str], kind: str) -> list[str]:
    """Found privileges in the words of what was wanted, where they mean the same: in its order, or as ALL."""
    held = set(found)
    meant = set(PRIVILEGES[kind]) if ALL in wanted else set(wanted)
    return list(wanted) if held == meant else sorted(held)
