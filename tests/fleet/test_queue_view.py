"""What is looked up of operations that have ended."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from fleet import registry
from fleet.queue import Queue
from fleet.queue_view import QueueView
from tests.fleet.samples import CELL, add_tenants, ask

pytestmark = pytest.mark.sandbox


def test_the_last_success_is_none_that_failed_or_runs(database: sa.Engine) -> None:
    add_tenants(database, "acme", "beta")
    queue, view = Queue(database), QueueView(database)
    asked = []
    for well in (True, True, False, None):
        asked.append(ask(database, "acme"))
        claim = queue.claim(CELL, "one", 60)
        assert claim is not None
        if well:
            queue.succeed(claim, {}, lambda connection: None)
        elif well is not None:
            queue.fail(claim, "no room", lambda connection: registry.failed(connection, "acme", "no room"))
    found = view.last_success("acme")
    assert found is not None and found.id == asked[1].id
    assert view.last_success("beta") is None
    assert [one.id for one in view.all([one.id for one in reversed(asked)])] == [one.id for one in asked]
