"""The way into the control database, by the login that the secret manager keeps for the notifier."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import psycopg
import sqlalchemy as sa

from errors import FreeholdError
from fleet.connection_limits import TCP_LIMITS
from services import logs
from services.notifier.settings import Settings, read_secret

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

_CONNECT_SECONDS = 5
_STATEMENT_MILLISECONDS = 10_000
"""Every statement is of a few rows: one that takes longer waits for a lock."""
_READ_AGAIN_SECONDS = 30.0
"""A database that is down refuses connections all the time: its login is not read each time."""

_log = logs.logger(__name__)


class Login:
    """Where the database is and who logs in; either may be replaced while the notifier runs."""

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


def database(settings: Settings, environment: Mapping[str, str]) -> sa.Engine:
    """The control database, its server verified. A login that has been replaced is found by itself, at the first
    connection that is refused. Raises FreeholdError."""
    return engine(Login(lambda: _url(settings, environment)))


def engine(login: Login) -> sa.Engine:
    """Of connections with limits of time, whose errors tell nothing of what a row holds."""
    made = sa.create_engine(
        login.url,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={**TCP_LIMITS, "options": f"-c statement_timeout={_STATEMENT_MILLISECONDS}"},
    )

    def connect(
        dialect: sa.Dialect, entry: ConnectionPoolEntry | None, arguments: object, parameters: Mapping[str, object]
    ) -> DBAPIConnection:
        def dial(url: sa.URL) -> DBAPIConnection:
            return dialect.connect(**{**parameters, **url.translate_connect_args(username="user", database="dbname")})

        used = login.url
        try:
            return dial(used)
        except psycopg.OperationalError:
            # libpq tells a wrong password from a server that is away by its message alone, in the server's language.
            if (renewed := login.renewed()) == used:
                raise
        return dial(renewed)

    sa.event.listen(made, "do_connect", connect)
    return made


def _url(settings: Settings, environment: Mapping[str, str]) -> sa.URL:
    secret = read_secret(settings.database_secret, settings.region, environment)
    if settings.authority is None:
        mend = "set it to the file of the authority that signs the server's certificate"
        raise FreeholdError("it is not set: the server could not be verified", where="PGSSLROOTCERT", mend=mend)
    try:
        return sa.URL.create(
            "postgresql+psycopg",
            username=str(secret["username"]),
            password=str(secret["password"]),
            host=str(secret["host"]),
            port=int(str(secret["port"])),
            database=str(secret["database"]),
            query={
                "sslmode": "verify-full",
                "sslrootcert": str(settings.authority),
                "connect_timeout": str(_CONNECT_SECONDS),
                "application_name": "freehold-notifier",
            },
        )
    except (KeyError, ValueError) as error:
        what, mend = f"it is no record of a database: {error}", "`./freehold up` of the cell writes it"
        raise FreeholdError(what, where=settings.database_secret, mend=mend) from None
