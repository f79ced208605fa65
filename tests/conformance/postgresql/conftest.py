from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.postgresql.bench import Bench
from tests.temporary_sandbox import Sandbox

IDENTIFIER = "postgresql-conformance"


@pytest.fixture(scope="session")
def postgres(sandbox: Sandbox) -> Iterator[dict[str, str | int | bool]]:
    """A server of its own, which logs every statement; the provider's configuration for it."""
    server = sandbox.supervisor.create_database(
        IDENTIFIER,
        username="administrator",
        password="a password of the administrator",
        database="shared",
        parameters={"log_statement": "all"},
    )
    yield {
        "host": server.host,
        "port": server.port,
        "username": "administrator",
        "password": "a password of the administrator",
        "database": "shared",
        "sslmode": "require",
        "superuser": False,
    }
    sandbox.supervisor.delete_database(IDENTIFIER)


@pytest.fixture
def bench(sandbox: Sandbox, postgres: dict[str, str | int | bool]) -> Iterator[Bench]:
    """A provider on that server."""
    made = Bench(postgres, sandbox.environment)
    yield made
    made.provider.close()
