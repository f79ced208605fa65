"""Suspending and resuming as the registry and the queue keep them."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from errors import UsageError
from fleet import registry
from fleet.operations import OPERATIONS, Kind, State
from fleet.queue import Queue
from fleet.registry import Registry, Status, Suspension, Tenant
from fleet.tenant_requests import Asker, Requests
from fleet.wishes import Request, Wishes
from tests.fleet.samples import CELL, wanted

pytestmark = pytest.mark.sandbox

SOMEBODY = Asker("cli:somebody")


@pytest.fixture
def requests(database: sa.Engine) -> Requests:
    made = Requests(database, Wishes(CELL, "chronos-cloud", "us-east-1"))
    made.create(Request("acme", "starter"), SOMEBODY)
    build(database)
    return made


def build(database: sa.Engine) -> Kind:
    """Do what is next as the runner does it: what the row wants when it begins."""
    queue = Queue(database)
    claim = queue.claim(CELL, "one", 60)
    assert claim is not None
    row = acme(database)
    queue.succeed(claim, {}, lambda c: registry.applied(c, "acme", row.desired_hash, "0.1.0", suspended=row.suspended))
    return claim.operation.kind


def acme(database: sa.Engine) -> Tenant:
    found = Registry(database).get("acme")
    assert found is not None
    return found


def test_there_and_back(database: sa.Engine, requests: Requests) -> None:
    before = acme(database)
    assert requests.suspend("acme", SOMEBODY).kind is Kind.SUSPEND
    wished = acme(database)
    assert (wished.status, wished.suspended_for, wished.settled) == (Status.ACTIVE, Suspension.OPERATOR, False)
    assert build(database) is Kind.SUSPEND
    row = acme(database)
    assert (row.status, row.settled, row.due("0.1.0"), row.due("0.2.0")) == (Status.SUSPENDED, True, False, True)
    assert requests.resume("acme", SOMEBODY).kind is Kind.RESUME
    assert build(database) is Kind.RESUME
    row = acme(database)
    assert (row.status, row.suspended_for, row.settled) == (Status.ACTIVE, None, True)
    assert row.desired_hash == before.desired_hash


def test_the_hash_of_a_tenant_that_is_not_suspended_is_as_it_was_before_there_were_suspensions() -> None:
    plain = wanted("acme")
    assert plain.desired_hash == "f2fdc4c567539379af763c1080fd3e2de48e93da32a7e109f887a6f334f6bd3d"
    held = [plain.model_copy(update={"suspended_for": reason}).desired_hash for reason in Suspension]
    assert held[0] == held[1] != plain.desired_hash


def test_a_suspended_tenant_takes_another_plan_and_stays_suspended(database: sa.Engine, requests: Requests) -> None:
    requests.suspend("acme", SOMEBODY)
    build(database)
    requests.change_plan("acme", "pro", SOMEBODY)
    assert build(database) is Kind.UPDATE
    row = acme(database)
    assert (row.status, row.plan, row.suspended_for) == (Status.SUSPENDED, "pro", Suspension.OPERATOR)
    requests.resume("acme", SOMEBODY)
    build(database)
    assert (acme(database).status, acme(database).plan) == (Status.ACTIVE, "pro")


def test_what_was_asked_meanwhile_has_its_own_turn(database: sa.Engine, requests: Requests) -> None:
    """Resumed while it is being suspended: it is suspended first, and then not."""
    requests.suspend("acme", SOMEBODY)
    queue = Queue(database)
    claim = queue.claim(CELL, "one", 60)
    assert claim is not None
    begun = acme(database)
    requests.resume("acme", SOMEBODY)
    queue.succeed(claim, {}, lambda c: registry.applied(c, "acme", begun.desired_hash, "0.1.0", suspended=True))
    assert (acme(database).status, acme(database).settled) == (Status.SUSPENDED, False)
    build(database)
    assert (acme(database).status, acme(database).settled) == (Status.ACTIVE, True)


def test_asked_to_and_fro_it_is_one_run(database: sa.Engine, requests: Requests) -> None:
    asked = [requests.suspend("acme", SOMEBODY), requests.resume("acme", SOMEBODY), requests.suspend("acme", SOMEBODY)]
    assert asked[2].id == asked[0].id
    build(database)
    assert acme(database).status is Status.SUSPENDED
    with database.connect() as connection:
        states = list(connection.scalars(sa.select(OPERATIONS.c.state)))
    assert states == [State.SUCCEEDED] * 3


def test_a_deletion_of_a_suspended_tenant(database: sa.Engine, requests: Requests) -> None:
    requests.suspend("acme", SOMEBODY)
    build(database)
    requests.delete("acme", SOMEBODY)
    for ask in (requests.suspend, requests.resume):
        with pytest.raises(UsageError, match="it is being deleted"):
            ask("acme", SOMEBODY)
    claim = Queue(database).claim(CELL, "one", 60)
    assert claim is not None
    Queue(database).succeed(claim, {}, lambda connection: registry.deleted(connection, "acme"))
    # A new tenant of the same id does not inherit it.
    requests.create(Request("acme", "starter"), SOMEBODY)
    assert acme(database).suspended_for is None


def test_one_key_asks_once_and_for_one_thing(database: sa.Engine, requests: Requests) -> None:
    keyed = Asker("cli:somebody", "press-1")
    first = requests.suspend("acme", keyed)
    build(database)
    requests.resume("acme", SOMEBODY)
    build(database)
    assert requests.suspend("acme", keyed).id == first.id
    assert acme(database).status is Status.ACTIVE
    assert acme(database).suspended_for is None
    with pytest.raises(UsageError, match="it was used to suspend tenant acme"):
        requests.resume("acme", keyed)


def test_nobody_of_that_name(requests: Requests) -> None:
    for ask in (requests.suspend, requests.resume):
        with pytest.raises(UsageError, match="there is no such tenant"):
            ask("nobody", SOMEBODY)
