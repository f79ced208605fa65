"""Connections to one server: bounded, kept for the next call, and errors that are one line without secrets."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg import errors, sql
from psycopg.conninfo import make_conninfo

from sandbox.providers.interface import ProviderError
from sandbox.providers.postgresql.settings import Settings

Result = TypeVar("Result")
Connection = psycopg.Connection[tuple[Any, ...]]
Work = Callable[[Connection], Result]

# Statements of two transactions that touch one catalog row: the later one fails and can be tried again.
_ATTEMPTS = 12
_PAUSE = 0.02
# Any constant will do, as long as every change takes the same lock.
LOCK = 0x66726565686F6C64


class Server:
    """One server, several databases; safe to use from several threads."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._free = threading.Condition()
        self._idle: list[tuple[str, Connection]] = []
        self._open = 0

    @property
    def database(self) -> str:
        """The database that is used where a resource names none."""
        return self.settings.database

    def read(self, work: Work[Result], database: str | None = None) -> Result:
        """Run `work` in a transaction that changes nothing."""
        return self._run(work, database, lock=False)

    def change(self, work: Work[Result], database: str | None = None) -> Result:
        """Run `work` in one transaction; changes by this and other engines take turns within a database."""
        return self._run(work, database, lock=True)

    def alone(self, *statements: sql.Composed) -> None:
        """Run statements that Postgres refuses inside a transaction (CREATE DATABASE), one after the other."""
        with self._connection(self.database) as connection, _plain_errors():
            connection.autocommit = True
            try:
                for statement in statements:
                    connection.execute(statement)
            finally:
                if not connection.closed:
                    connection.autocommit = False

    def forget(self, database: str) -> None:
        """Close the idle connections to a database that is to be dropped."""
        with self._free:
            closing = [connection for name, connection in self._idle if name == database]
            self._idle = [(name, connection) for name, connection in self._idle if name != database]
            self._open -= len(closing)
            self._free.notify_all()
        for connection in closing:
            connection.close()

    def close(self) -> None:
        for database in {name for name, _ in self._idle}:
            self.forget(database)

    def _run(self, work: Work[Result], database: str | None, *, lock: bool) -> Result:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with self._connection(database or self.database) as connection, connection.transaction():
                    if lock:
                        connection.execute("SET LOCAL statement_timeout = 0")
                        connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
                    return work(connection)
            except psycopg.Error as error:
                if attempt == _ATTEMPTS or not _collided(error):
                    raise _plain(error) from None
                # Cluster-wide rows (roles, memberships) are not covered by a lock, which belongs to one database.
                time.sleep(_PAUSE * attempt * (1 + random.random()))
        raise AssertionError("the last attempt either returns or raises")

    @contextmanager
    def _connection(self, database: str) -> Iterator[Connection]:
        connection = self._take(database)
        try:
            yield connection
        finally:
            self._give_back(database, connection)

    def _take(self, database: str) -> Connection:
        limit = self.settings.max_connections
        while True:
            with self._free:
                found = next((pair for pair in self._idle if pair[0] == database), None)
                if found is None and 0 < limit <= self._open and self._idle:
                    found = self._idle[0]
                if found is not None:
                    self._idle.remove(found)
                elif 0 < limit <= self._open:
                    self._free.wait()
                    continue
                else:
                    self._open += 1
            if found is not None:
                if found[0] == database and _alive(found[1]):
                    return found[1]
                found[1].close()
            try:
                return self._connect(database)
            except BaseException:
                with self._free:
                    self._open -= 1
                    self._free.notify()
                raise

    def _give_back(self, database: str, connection: Connection) -> None:
        broken = connection.closed
        with self._free:
            if broken:
                self._open -= 1
            else:
                self._idle.append((database, connection))
            self._free.notify()

    def _connect(self, database: str) -> Connection:
        settings = self.settings
        optional = {
            "password": settings.password,
            "sslmode": settings.sslmode,
            "sslrootcert": settings.sslrootcert,
            # The engine's: libpq itself would read the variables of this process, which serves several engines.
            "options": settings.options,
        }
        given = {key: value for key, value in optional.items() if value is not None}
        with _plain_errors():
            return psycopg.connect(
                make_conninfo(
                    host=settings.host,
                    port=settings.port,
                    user=settings.username,
                    dbname=database,
                    application_name="freehold postgresql stand-in",
                    # Zero means to wait for ever, for libpq as for the provider.
                    connect_timeout=settings.connect_timeout,
                    **given,
                )
            )


def _alive(connection: Connection) -> bool:
    """Whether the server still answers on a connection that lay idle (it may have been started anew since)."""
    try:
        with connection.transaction():
            connection.execute("SELECT 1")
    except psycopg.Error:
        return False
    return True


def _collided(error: psycopg.Error) -> bool:
    if isinstance(error, errors.SerializationFailure | errors.DeadlockDetected):
        return True
    # An internal error by its code: two transactions changed one row of a catalog.
    return isinstance(error, errors.InternalError_) and "concurrently" in str(error)


def _plain(error: psycopg.Error) -> ProviderError:
    """The server's own words on one line, without the statement, which may hold a password."""
    diagnostic = error.diag
    parts = [diagnostic.message_primary, diagnostic.message_detail, diagnostic.message_hint]
    said = [part for part in parts if part]
    # Errors of the connection have no diagnostic but name host, port and user, never the password.
    return ProviderError(" ".join(" ".join(said or [str(error)]).split()))


@contextmanager
def _plain_errors() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise _plain(error) from None
