"""The way into the control database, by the login that the secret manager keeps for the notifier."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from errors import FreeholdError
from fleet.connection_limits import TCP_LIMITS
from services.login import Login, follow
from services.notifier.settings import Settings, read_secret

_CONNECT_SECONDS = 5
_STATEMENT_MILLISECONDS = 10_000
"""Every statement is of a few rows: one that takes longer waits for a lock."""


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
    follow(made, login)
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
