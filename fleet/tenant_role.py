"""A tenant's role in the shared database before a run on its stack: what the tenant did to it or holds by it must not
keep the run from its work."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import psycopg
from psycopg import sql

from catalog import identifiers
from errors import FreeholdError, TransientError
from fleet.control_database import read_secret
from stacks.contract import PlatformContract

_SECONDS = 10
_UNLINKED_AT_ONCE = 1000
_OURS = "search_path"
"""The one setting that the tenant's stack makes."""


class Access(StrEnum):
    """What its tenant may go on doing."""

    OPEN = "open"
    CLOSED = "closed"
    """Nothing, for now: nobody may log in, and sessions end. A lock that one holds would be waited for, and one that
    stays could go on after a suspension."""
    DELETED = "deleted"
    """The same, for ever: its large objects go too, which lie in no schema and would become the administrator's."""


def settle(contract: PlatformContract, environment: Mapping[str, str], tenant: str, access: Access) -> None:
    """Take back the settings that the tenant gave its own role: any role may, and the provider cannot read them all.

    Raises TransientError where the server does not answer.
    """
    server, role = contract.database.tenants, identifiers.postgres_name(tenant)
    secret = read_secret(server.admin_secret, contract.region, environment)
    try:
        with psycopg.connect(
            host=server.host,
            port=server.port,
            dbname=server.database,
            user=str(secret["username"]),
            password=str(secret["password"]),
            sslmode="verify-full",
            sslrootcert=environment.get("PGSSLROOTCERT"),
            connect_timeout=_SECONDS,
            options=f"-c lock_timeout={_SECONDS}s",
            application_name="freehold-runner",
            autocommit=True,
        ) as connection:
            found = connection.execute("SELECT oid FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
            if found is None:
                return
            _reset(connection, role, found[0])
            if access is not Access.OPEN:
                connection.execute(sql.SQL("ALTER ROLE {} NOLOGIN").format(sql.Identifier(role)))
                _end_sessions(connection, role)
            if access is Access.DELETED:
                while _unlink(connection, role):
                    pass
    except (psycopg.OperationalError, psycopg.InternalError) as error:
        raise TransientError(_line(error), where=f"database {server.identifier}") from None
    except psycopg.Error as error:
        raise FreeholdError(_line(error), where=f"database {server.identifier}") from None


def _reset(connection: psycopg.Connection, role: str, oid: int) -> None:
    rows = connection.execute(
        "SELECT d.datname, s.setconfig FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = s.setdatabase"
        " WHERE s.setrole = %s",
        (oid,),
    ).fetchall()
    name = sql.Identifier(role)
    for database, settings in rows:
        if database is not None:
            where = sql.Identifier(database)
            connection.execute(sql.SQL("ALTER ROLE {} IN DATABASE {} RESET ALL").format(name, where))
            continue
        for setting in (one.partition("=")[0] for one in settings):
            if setting != _OURS:
                connection.execute(sql.SQL("ALTER ROLE {} RESET {}").format(name, sql.Identifier(*setting.split("."))))


def _end_sessions(connection: psycopg.Connection, role: str) -> None:
    # Who made a role administers it, but to end its sessions takes its rights: for this transaction, which is undone.
    with connection.transaction(force_rollback=True):
        connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(role)))
        connection.execute(
            "SELECT pg_terminate_backend(pid, %s) FROM pg_stat_activity WHERE usename = %s", (_SECONDS * 1000, role)
        )


def _unlink(connection: psycopg.Connection, role: str) -> bool:
    """Remove some of its large objects, as many as a server has locks for; whether there were any."""
    name = sql.Identifier(role)
    with connection.transaction():
        connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(name))
        removed = connection.execute(
            "SELECT lo_unlink(o.oid) FROM (SELECT m.oid FROM pg_largeobject_metadata m JOIN pg_roles r"
            " ON r.oid = m.lomowner WHERE r.rolname = %s LIMIT %s) o",
            (role, _UNLINKED_AT_ONCE),
        ).fetchall()
        connection.execute(sql.SQL("REVOKE {} FROM CURRENT_USER").format(name))
    return bool(removed)


def _line(error: psycopg.Error) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
