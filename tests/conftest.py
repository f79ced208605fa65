"""What all tests share: one sandbox of their own, apart from the one that the user may be running."""

from __future__ import annotations

import gc
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from fleet import migrations
from sandbox.home import Home
from tests.temporary_sandbox import Sandbox, temporary_home, temporary_sandbox

gc.disable()  # while tests are collected: imports leave no garbage, and there is much for a collection to look at


def pytest_collection_finish() -> None:
    """From here on it is collected, but not every 700 objects: a program leaves a hundred thousand at once."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
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


@contextmanager
def _new_database(server: sa.URL, template: str = "template1") -> Iterator[sa.URL]:
    name = f"d{uuid.uuid4().hex[:12]}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        yield server.set(database=name)
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture
def empty_database(database_server: sa.URL) -> Iterator[sa.URL]:
    """A database of the test's own, dropped at its end."""
    with _new_database(database_server) as made:
        yield made


@pytest.fixture(scope="session")
def _migrated_template(database_server: sa.URL) -> Iterator[str]:
    """Nobody stays connected to it: only then Postgres copies it."""
    with _new_database(database_server) as made:
        engine = sa.create_engine(made)
        with engine.begin() as connection:
            migrations.upgrade(connection)
        engine.dispose()
        yield str(made.database)


@pytest.fixture
def migrated_database(database_server: sa.URL, _migrated_template: str) -> Iterator[sa.URL]:
    """A control database of the test's own, with the schema, no rows and no service's rights. It is a copy, which
    costs less than to go through the revisions."""
    with _new_database(database_server, _migrated_template) as made:
        yield made
