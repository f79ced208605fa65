"""A statement that is a transaction by itself: the server commits it before it says that it is done, in one round trip.

Without SQLAlchemy, which spends more on such a statement than the server and the driver together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
import sqlalchemy as sa

from services.login import ReadOnly

Row = TypeVar("Row")
Connection = psycopg.Connection[tuple[Any, ...]]


class ConnectionDied(Exception):
    """Whether the statement was carried out is not known."""


def single_statement(engine: sa.Engine, work: Callable[[Connection], Row]) -> Row:
    """What `work` returns, which executes one statement on a connection of the engine's pool.

    Raises ConnectionDied, psycopg's other errors where the statement fails, SQLAlchemy's where there is no connection.
    """
    pooled = engine.raw_connection()
    try:
        connection = pooled.driver_connection
        assert isinstance(connection, psycopg.Connection)
        try:
            connection.autocommit = True
            done = work(connection)
        except psycopg.Error as error:
            if connection.closed or isinstance(error, ReadOnly):
                pooled.invalidate()
                # Where the server went away or was replaced the others have died with it, and would be tried next.
                engine.dispose()
                raise ConnectionDied(str(error)) from error
            raise
        finally:
            # Whatever happened: the next transaction on it would be none, and leave half of itself where it fails.
            if not connection.closed:
                connection.autocommit = False
    finally:
        pooled.close()
    return done
