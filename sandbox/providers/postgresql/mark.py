"""What a create leaves on the object that it makes, in the same transaction: sent again after its host was killed, it
knows by it what it has made, and takes nothing that somebody else has made under that name."""

from __future__ import annotations

import uuid
from typing import Literal

from psycopg import sql

from sandbox.providers import creations
from sandbox.providers.postgresql.server import Connection

Sort = Literal["ROLE", "SCHEMA", "DATABASE"]

_CATALOGS: dict[Sort, str] = {
    "ROLE": "SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = %s",
    "SCHEMA": "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = %s",
    "DATABASE": "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s",
}


def own() -> str:
    """The comment of this create; empty outside of one."""
    creation = creations.current()
    return f"made by the sandbox, create {creation.serial}" if creation is not None else ""


def unnamed() -> str:
    """What a database is called until it has its name and its mark."""
    creation = creations.current()
    return f"freehold-{creation.serial if creation is not None else uuid.uuid4()}"


def leave(connection: Connection, sort: Sort, name: str) -> None:
    """Put the mark on what has just been made."""
    if text := own():
        comment = sql.SQL("COMMENT ON " + sort + " {} IS {}")
        connection.execute(comment.format(sql.Identifier(name), sql.Literal(text)))


def is_own(connection: Connection, sort: Sort, name: str) -> bool:
    """Whether what has this name was made by this very create, when it was sent before."""
    row = connection.execute(_CATALOGS[sort].encode(), [name]).fetchone()
    return row is not None and bool(own()) and row[0] == own()
