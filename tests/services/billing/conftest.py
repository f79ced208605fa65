"""A control database with one tenant, for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from catalog.services import Service
from tests.service_logins import login
from tests.services.billing import bench
from tests.services.billing.bench import Books, Inside
from tests.services.billing.one_loop import OneLoop, Witness, one_loop


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


@pytest.fixture
def witness(books: Books) -> Witness:
    return Witness(books)


@pytest.fixture
def in_loop(own_login: sa.URL, witness: Witness) -> Iterator[OneLoop]:
    """The webhook as a process has it, connected."""
    with one_loop(own_login) as made:
        yield made
