"""What all tests share: one sandbox of their own, apart from the one that the user may be running."""

from __future__ import annotations

import gc
import uuid
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from sandbox.home import Home
from tests.temporary_sandbox import Sandbox, temporary_home, temporary_sandbox

gc.disable()  # while tests are collected: imports leave no garbage, and there is much for a collection to look at


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """Started by the first test that asks for it, stopped and deleted after the last."""
    with temporary_sandbox() as running:
        yield running


@pytest.fixture
def fresh_home() -> Iterator[Home]:
    """A FREEHOLD_HOME where nothing has run; whatever a test starts in it is ended."""
    with temporary_home() as home:
        yield home


@pytest.fixture(scope="session")
def database_server(sandbox: Sandbox) -> sa.URL:
    """A Postgres server for tests that need a database: verified TLS, an administrator who is no superuser."""
    made = sandbox.supervisor.create_database(
        f"tests-{uuid.uuid4().hex[:8]}", username="admin", password="right-and-long", database="first"
    )
    query = {"sslmode": "verify-full", "sslrootcert": str(made.certificate_authority_path)}
    return sa.URL.create(
        "postgresql+psycopg", "admin", "right-and-long", made.host, made.port, made.database, query=query
    )


@pytest.fixture
def empty_database(database_server: sa.URL) -> Iterator[sa.URL]:
    """A database of the test's own, dropped at its end."""
    name = f"d{uuid.uuid4().hex[:12]}"
    server = sa.create_engine(database_server, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
        yield database_server.set(database=name)
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()
