"""A database whose role was taken over by another server, and which serves on, read-only: as after a switch-over.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/blue-green-deployments-switching.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from tests.services.billing.bench import Books, Inside
from tests.services.billing.test_effects import CREATED, UPGRADED

pytestmark = pytest.mark.sandbox

# A type that nothing depends on is stored by a single statement, without SQLAlchemy.
OTHER: Mapping[str, Any] = {**CREATED, "id": "evt_other", "type": "charge.succeeded"}


def demote(webhook: Inside) -> None:
    """As the one connection that the webhook keeps sees it."""
    pooled = webhook.engine.raw_connection()
    connection = pooled.driver_connection
    assert isinstance(connection, psycopg.Connection)
    connection.execute("SET default_transaction_read_only = on")
    connection.commit()
    pooled.close()
    assert webhook.engine.pool.checkedin() == 1  # type: ignore[attr-defined]  # of QueuePool


@contextmanager
def only_read(books: Books, database: sa.URL) -> Iterator[None]:
    """Whoever connects meanwhile, as by a name that leads to the old server still."""
    books.execute(f'ALTER DATABASE "{database.database}" SET default_transaction_read_only = on')
    try:
        yield
    finally:
        with books.engine.connect() as connection:
            connection.exec_driver_sql("SET default_transaction_read_only = off")
            connection.commit()
            connection.exec_driver_sql(f'ALTER DATABASE "{database.database}" RESET default_transaction_read_only')
            connection.commit()


@pytest.mark.parametrize("event", [UPGRADED, OTHER], ids=["in a transaction", "by a single statement"])
def test_a_connection_to_it_is_left_at_once(webhook: Inside, event: Mapping[str, Any]) -> None:
    assert webhook.state(CREATED) == "applied"
    demote(webhook)
    assert webhook.send(event).status_code == 200


def test_a_new_connection_to_it_is_none(webhook: Inside, books: Books, own_login: sa.URL) -> None:
    with only_read(books, own_login):
        answer = webhook.send(CREATED)
        assert (answer.status_code, webhook.counted("customer.subscription.created", "applied")) == (503, 0)
        with pytest.raises(sa.exc.OperationalError, match="session is read-only"):
            webhook.engine.connect()
    assert webhook.state(CREATED) == "applied"
