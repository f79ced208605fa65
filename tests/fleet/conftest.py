"""A control database of the test's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from catalog.services import Service
from tests.service_logins import login


@pytest.fixture
def database(migrated_database: sa.URL) -> Iterator[sa.Engine]:
    """With the schema, and no rows."""
    engine = sa.create_engine(migrated_database, pool_size=20)
    yield engine
    engine.dispose()


@pytest.fixture
def as_runner(database: sa.Engine) -> Iterator[sa.Engine]:
    """That database as the runner logs in to it: each of its statements is one that its role may execute."""
    engine = sa.create_engine(login(database.url, Service.RUNNER), pool_size=20)
    yield engine
    engine.dispose()
