"""The provider's configuration: where the server is and how to log in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sandbox.providers.configuration import boolean, integer, text
from sandbox.providers.interface import Properties, ProviderError, Unknown

SERVED = frozenset(
    {
        "host",
        "port",
        "username",
        "password",
        "database",
        "databaseUsername",
        "sslmode",
        "sslrootcert",
        "superuser",
        "connectTimeout",
        "maxConnections",
        "expectedVersion",
        "scheme",
    }
)
"""What of the configuration has an effect here (or, as `expectedVersion`, may be left out of account)."""


@dataclass(frozen=True)
class Settings:
    """https://www.pulumi.com/registry/packages/postgresql/installation-configuration/"""

    host: str
    port: int
    username: str
    password: str | None = field(repr=False)
    database: str
    sslmode: str | None
    sslrootcert: str | None
    superuser: bool
    connect_timeout: int
    """Seconds."""
    max_connections: int
    """0 is unlimited."""
    options: str | None
    """Settings of each session, as the server's command line takes them: `-c lock_timeout=60s`."""


def read_settings(config: Properties, environment: Mapping[str, str]) -> Settings:
    """The configuration, with libpq's variables of the engine's environment where it says nothing.

    Raises ProviderError where a value is not known yet: the server is still to be made.
    """
    unknown = sorted(name for name, value in config.items() if isinstance(value, Unknown))
    if unknown:
        raise ProviderError(
            f"the provider's {', '.join(unknown)} will be known after creation only: there is no server to ask yet"
        )

    def value(key: str, variable: str) -> str | None:
        return text(config, key) or environment.get(variable) or None

    host = value("host", "PGHOST")
    if host is None:
        raise ProviderError("the postgresql provider has no host: set `host`, or PGHOST in the environment")
    scheme = text(config, "scheme")
    if scheme not in (None, "postgres"):
        raise ProviderError("the sandbox's postgresql stand-in serves the scheme `postgres` only")
    port = value("port", "PGPORT")
    timeout = value("connectTimeout", "PGCONNECT_TIMEOUT")
    return Settings(
        host=host,
        port=integer({"port": port}, "port", 5432),
        username=value("username", "PGUSER") or "postgres",
        password=value("password", "PGPASSWORD"),
        database=value("database", "PGDATABASE") or "postgres",
        sslmode=value("sslmode", "PGSSLMODE"),
        sslrootcert=value("sslrootcert", "PGSSLROOTCERT"),
        superuser=boolean({"superuser": value("superuser", "PGSUPERUSER")}, "superuser", True),
        connect_timeout=integer({"connectTimeout": timeout}, "connectTimeout", 180),
        max_connections=integer(config, "maxConnections", 20),
        options=environment.get("PGOPTIONS") or None,
    )
