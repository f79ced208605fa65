"""A control database of the test's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from fleet import migrations


@pytest.fixture
def database(empty_database: sa.URL) -> Iterator[sa.Engine]:
    """With the schema, and no rows."""
    engine = sa.create_engine(empty_database, pool_size=20)
    with engine.begin() as connection:
        migrations.upgrade(connection)
    yield engine
    engine.dispose()
