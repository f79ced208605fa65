"""The way into the control database, by a login that may be replaced while a service runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import psycopg
import sqlalchemy as sa

from errors import FreeholdError
from services import logs

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

_READ_AGAIN_SECONDS = 30.0
"""A database that is down refuses connections all the time: its login is not read each time."""

ReadOnly = psycopg.errors.ReadOnlySqlTransaction
"""What a server says that another one has taken over from, as after a failover or a switch-over: it lives, and each
statement that writes fails on it. So such a connection is as good as dead."""

_WRITABLE: Mapping[str, object] = {"target_session_attrs": "read-write"}
"""For a while after it the database's name may lead to the old server still."""

_log = logs.logger(__name__)


class Login:
    """Where the database is and who logs in; either may be replaced while the service runs."""

    def __init__(self, read: Callable[[], sa.URL], clock: Callable[[], float] = time.monotonic) -> None:
        """`read` asks the secret manager. Raises what it raises."""
        self._read, self._clock = read, clock
        self._lock = threading.Lock()
        self.url = read()
        self._read_at = clock()

    def renewed(self) -> sa.URL:
        """As it is now, as far as that can be told; what was read a moment ago is not read again."""
        with self._lock:
            if self._clock() - self._read_at >= _READ_AGAIN_SECONDS:
                self._read_at = self._clock()
                try:
                    self.url = self._read()
                except FreeholdError as error:
                    _log.warning("login-not-read", error=error.line())
            return self.url

    def take(self, url: sa.URL) -> None:
        """`url` was just read by somebody else."""
        with self._lock:
            self.url, self._read_at = url, self._clock()


def follow(engine: sa.Engine, login: Login) -> None:
    """Let each new connection of `engine` be made with the login as it is then, to a server that takes writes. One that
    was replaced is found by itself, at the first connection that is refused."""

    def connect(
        dialect: sa.Dialect, entry: ConnectionPoolEntry | None, arguments: object, parameters: Mapping[str, object]
    ) -> DBAPIConnection:
        def dial(url: sa.URL) -> DBAPIConnection:
            told = url.translate_connect_args(username="user", database="dbname")
            return dialect.connect(**{**parameters, **_WRITABLE, **told})

        used = login.url
        try:
            return dial(used)
        except psycopg.OperationalError:
            # libpq tells a wrong password from a server that is away by its message alone, in the server's language.
            if (renewed := login.renewed()) == used:
                raise
        return dial(renewed)

    def look(context: sa.ExceptionContext) -> None:
        if isinstance(context.original_exception, ReadOnly):
            context.is_disconnect = True

    sa.event.listen(engine, "do_connect", connect)
    sa.event.listen(engine, "handle_error", look)
