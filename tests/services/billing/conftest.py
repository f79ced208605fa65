"""A control database with one tenant, for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from catalog.services import Service
from tests.service_logins import login
from tests.services.billing import bench
from tests.services.billing.bench import Books, Inside


@pytest.fixture
def books(migrated_database: sa.URL) -> Iterator[Books]:
    with bench.books(migrated_database) as made:
        yield made


@pytest.fixture
def own_login(migrated_database: sa.URL, books: Books) -> sa.URL:
    """The webhook's way into that database: each of its statements is one that its role may execute."""
    return login(migrated_database, Service.BILLING)


@pytest.fixture
def webhook(own_login: sa.URL) -> Iterator[Inside]:
    with bench.inside(own_login) as made:
        yield made
