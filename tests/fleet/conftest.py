"""A control database of the test's own, and what a runner tells of itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from catalog.services import Service
from fleet.runner.health import Health
from tests.fleet.clock import Clock
from tests.fleet.samples import CELL
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


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    """Of a runner whose time stands still until the test moves the clock."""
    return Health(CELL, clock)
