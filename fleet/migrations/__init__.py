"""The control database's schema, revision by revision.

A revision locks tables that services read and write, until it is done with all of them. So a constraint on a table
that may be long is made NOT VALID first, and validated by a later revision: that lets them go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from psycopg.errors import DeadlockDetected, LockNotAvailable
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import OperationalError

from errors import FreeholdError, TransientError

HEAD = "0007"
"""The revision that this program needs; a test holds it to the newest file in `versions`."""

# Any number that nothing else in this database locks: one migration at a time.
_LOCK = 7_461_930_224
_PAUSE_SECONDS = 3.0
# Processes of other sessions that hold locks on tables of ours.
_HOLDERS = text("""
    SELECT DISTINCT pid FROM pg_locks JOIN pg_class ON pg_class.oid = relation
    WHERE database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND relnamespace = CAST(current_schema() AS regnamespace) AND granted AND pid <> pg_backend_pid()
""")


def current(connection: Connection) -> str | None:
    """The revision that the database is at; None before the first."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def refuse_newer(revision: str | None) -> None:
    """Raises FreeholdError where a later release has been here: what it made of the schema is not taken back."""
    if revision is not None and revision > HEAD:
        raise FreeholdError(
            f"its schema is at revision {revision}, newer than this release's {HEAD}",
            where="control database",
            mend="run the release that it was brought up to date by, or a later one (docs/upgrade.md)",
        )


def upgrade(
    connection: Connection,
    *,
    tries: int = 10,
    lock_seconds: float = 2.0,
    pause: Callable[[], None] = lambda: time.sleep(_PAUSE_SECONDS),
) -> bool:
    """Bring the schema to HEAD within the connection's transaction; whether that changed anything.

    A table that another session has locked is waited for `lock_seconds`, less than the services wait themselves:
    whatever reads the table meanwhile waits behind this. Then they get their turn, for a `pause`. Raises TransientError
    after so many `tries`, and FreeholdError where a later release has been here.

    Safe when two processes do it at once. Alembic itself is imported only where there is something to do.
    """
    if _is_there(connection):
        return False
    # Another that migrates takes what it takes; it is no table, and nobody waits behind this.
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    if _is_there(connection):
        return False
    holders: set[int] | None = None
    for _ in range(tries):
        try:
            with connection.begin_nested():
                # Both SET LOCAL and the locks that were taken go with the savepoint.
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {round(lock_seconds * 1000)}")
                _migrate(connection)
                connection.exec_driver_sql("SET LOCAL lock_timeout TO DEFAULT")
            return True
        except OperationalError as error:
            if not isinstance(error.orig, (LockNotAvailable, DeadlockDetected)):
                raise
        now = set(connection.scalars(_HOLDERS))
        holders = now if holders is None else holders & now
        pause()
    # Who held one each time; others came and went.
    found = f" (process {', '.join(map(str, sorted(holders)))})" if holders else ""
    raise TransientError(
        f"its schema could not be changed: other sessions keep its tables locked{found}",
        where="control database",
        mend="end what is idle in a transaction (pg_stat_activity), then run it again",
    )


def _is_there(connection: Connection) -> bool:
    revision = current(connection)
    refuse_newer(revision)
    return revision == HEAD


def _migrate(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)
