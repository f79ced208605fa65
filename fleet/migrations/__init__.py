"""The control database's schema, revision by revision."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

HEAD = "0006"
"""The revision that this program needs; a test holds it to the newest file in `versions`."""

# Any number that nothing else in this database locks: one migration at a time.
_LOCK = 7_461_930_224


def current(connection: Connection) -> str | None:
    """The revision that the database is at; None before the first."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def upgrade(connection: Connection) -> bool:
    """Bring the schema to HEAD within the connection's transaction; whether that changed anything.

    Safe when two processes do it at once. Alembic itself is imported only where there is something to do.
    """
    if current(connection) == HEAD:
        return False
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    if current(connection) == HEAD:
        return False
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)
    return True
