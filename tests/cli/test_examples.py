"""What `up` asks for its example tenants: each once, and at once again where it waits to be tried again."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from cli.up import operation_for
from fleet.operations import Kind
from fleet.program import program_version
from fleet.queue import Queue
from fleet.registry import Registry, applied
from fleet.tenant_requests import Requests
from fleet.wishes import Wishes
from tests.fleet.samples import CELL
from tests.fleet.test_requests import fail_for_now

pytestmark = pytest.mark.sandbox


def test_made_once_and_tried_again_at_once(migrated_database: sa.URL) -> None:
    database = sa.create_engine(migrated_database)
    requests = Requests(database, Wishes(CELL, "chronos-cloud", "us-east-1"))

    def ask() -> tuple[object, Kind] | None:
        found = operation_for("acme", "starter", database, requests)
        return None if found is None else (found.id, found.kind)

    first = ask()
    assert first is not None and first[1] is Kind.CREATE
    assert ask() == first
    fail_for_now(database)
    assert ask() == first
    claim = Queue(database).claim(CELL, "one", 60)
    assert claim is not None, "it waits for its turn, though somebody started `up` again"
    row = Registry(database).get("acme")
    assert row is not None
    version = program_version()
    Queue(database).succeed(claim, {}, lambda c: applied(c, "acme", row.desired_hash, version))
    assert ask() is None
    database.dispose()
