"""A control database with one tenant, for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from tests.services.billing import bench
from tests.services.billing.bench import Books, Inside


@pytest.fixture
def books(empty_database: sa.URL) -> Iterator[Books]:
    with bench.books(empty_database) as made:
        yield made


@pytest.fixture
def webhook(empty_database: sa.URL, books: Books) -> Iterator[Inside]:
    with bench.inside(empty_database) as made:
        yield made
