"""Asking: the row's change and the operation are one, and a key that is pressed twice asks once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import sqlalchemy as sa

from errors import UsageError
from fleet import registry
from fleet.operations import OPERATIONS, Kind, Operation, State
from fleet.queue import Queue
from fleet.registry import TENANTS, Registry, Status
from fleet.tenant_requests import Asker, Requests
from fleet.wishes import Request, Wishes
from sandbox.home import CHECKOUT
from tests.fleet.samples import CELL

pytestmark = pytest.mark.sandbox

ACME = Request("acme", "starter")


@pytest.fixture
def requests(database: sa.Engine) -> Requests:
    return Requests(database, Wishes(CELL, "chronos-cloud", "us-east-1"))


def asker(key: str | None = None) -> Asker:
    return Asker("cli:somebody", key)


def count(database: sa.Engine, table: sa.Table) -> int:
    with database.connect() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def end(database: sa.Engine, well: bool = True) -> None:
    queue = Queue(database)
    claim = queue.claim(CELL, "one", 60)
    assert claim is not None
    tenant = claim.operation.tenant
    row = Registry(database).get(tenant)
    assert row is not None
    if not well:
        queue.fail(claim, "no room", lambda connection: registry.failed(connection, tenant, "no room"))
    elif claim.operation.kind is Kind.DELETE:
        queue.succeed(claim, {}, lambda connection: registry.deleted(connection, tenant))
    else:
        queue.succeed(claim, {}, lambda c: registry.applied(c, tenant, row.desired_hash, "0.1.0"))


def at_once(ask: Callable[[], Operation]) -> set[object]:
    with ThreadPoolExecutor(6) as pool:
        return {one.result().id for one in [pool.submit(ask) for _ in range(12)]}


@pytest.mark.parametrize("key", [None, "mine"])
def test_pressed_many_times_at_once_it_is_asked_once(database: sa.Engine, requests: Requests, key: str | None) -> None:
    assert len(at_once(lambda: requests.create(ACME, asker(key)))) == 1
    assert (count(database, TENANTS), count(database, OPERATIONS)) == (1, 1)
    end(database)
    other = None if key is None else "mine too"
    assert len(at_once(lambda: requests.change_plan("acme", "pro", asker(other)))) == 1
    assert count(database, OPERATIONS) == 2
    end(database)
    third = None if key is None else "mine three"
    assert len(at_once(lambda: requests.delete("acme", asker(third)))) == 1
    assert count(database, OPERATIONS) == 3


def test_a_key_that_has_done_its_work_does_nothing_more(database: sa.Engine, requests: Requests) -> None:
    first = requests.create(ACME, asker("mine"))
    end(database)
    again = requests.create(ACME, asker("mine"))
    assert (again.id, again.state) == (first.id, State.SUCCEEDED)
    requests.change_plan("acme", "pro", asker("move"))
    end(database)
    requests.change_plan("acme", "starter", asker("back"))
    requests.change_plan("acme", "pro", asker("move"))
    row = Registry(database).get("acme")
    assert row is not None
    assert row.plan == "starter"


def test_what_failed_is_asked_anew(database: sa.Engine, requests: Requests) -> None:
    first = requests.create(ACME, asker())
    end(database, well=False)
    second = requests.create(ACME, asker())
    assert second.id != first.id
    assert second.state is State.QUEUED
    end(database)
    with pytest.raises(UsageError, match="it exists already"):
        requests.create(ACME, asker())
    assert count(database, OPERATIONS) == 2


def fail_for_now(database: sa.Engine) -> None:
    """The operation that is next fails in a way that may pass, and waits for a minute."""
    queue = Queue(database)
    claim = queue.claim(CELL, "one", 60)
    assert claim is not None
    queue.retry(claim, "throttled", 60, lambda connection: None)
    assert queue.claim(CELL, "one", 60) is None


def test_what_waits_to_be_tried_again_is_done_at_once_if_asked_again(database: sa.Engine, requests: Requests) -> None:
    first = requests.create(ACME, asker())
    fail_for_now(database)
    again = requests.create(ACME, asker())
    assert (again.id, again.failures, again.error) == (first.id, 1, "throttled")
    claim = Queue(database).claim(CELL, "one", 60)
    assert claim is not None
    assert claim.operation.id == first.id
    # While it runs there is nothing to hurry.
    assert requests.create(ACME, asker()).state is State.RUNNING


def test_what_waits_with_one_that_failed_is_done_at_once_too(database: sa.Engine, requests: Requests) -> None:
    create, plan = requests.create(ACME, asker()), requests.change_plan("acme", "pro", asker())
    fail_for_now(database)
    assert requests.change_plan("acme", "pro", asker()).id == plan.id
    claim = Queue(database).claim(CELL, "one", 60)
    assert claim is not None
    assert {claim.operation.id, *claim.covers} == {create.id, plan.id}


def test_a_request_that_is_sent_again_by_its_key_waits_as_before(database: sa.Engine, requests: Requests) -> None:
    first = requests.create(ACME, asker("mine"))
    fail_for_now(database)
    assert requests.create(ACME, asker("mine")).id == first.id
    assert Queue(database).claim(CELL, "one", 60) is None


def test_nothing_is_asked_where_the_row_cannot_be_changed(database: sa.Engine, requests: Requests) -> None:
    requests.create(ACME, asker())
    elsewhere = Requests(database, Wishes("prod", "chronos-cloud", "us-east-1"))
    refused: tuple[tuple[Callable[[], Operation], str], ...] = (
        (lambda: requests.create(Request("beta", "starter", subdomain="acme"), asker()), "is another tenant's"),
        (lambda: requests.create(Request("beta", "platinum"), asker()), "has no plan 'platinum'"),
        (lambda: requests.change_plan("nobody", "pro", asker()), "there is no such tenant"),
        (lambda: requests.change_plan("acme", "platinum", asker()), "has no plan 'platinum'"),
        (lambda: requests.delete("nobody", asker()), "there is no such tenant"),
        (lambda: elsewhere.delete("acme", asker()), "it lives in sandbox; --env sandbox"),
        (lambda: elsewhere.create(ACME, asker()), "it lives in sandbox; --env sandbox"),
        (lambda: requests.create(replace(ACME, plan="pro"), asker()), "it exists already"),
    )  # fmt: skip
    for ask, said in refused:
        with pytest.raises(UsageError, match=said):
            ask()
    assert (count(database, TENANTS), count(database, OPERATIONS)) == (1, 1)


def test_a_mend_names_the_environment(database: sa.Engine) -> None:
    options = " --env prod --target cloud"
    requests = Requests(database, Wishes(CELL, "chronos-cloud", "us-east-1", options=options))
    with pytest.raises(UsageError, match=f"no such tenant; ./freehold tenant list{options}$"):
        requests.delete("nobody", asker())
    requests.create(ACME, asker())
    end(database)
    with pytest.raises(UsageError, match=f"exists already; ./freehold tenant show acme{options}, or tenant plan"):
        requests.create(ACME, asker())
    requests.delete("acme", asker())
    with pytest.raises(UsageError, match=f"it is being deleted; .*: ./freehold tenant show acme{options} tells"):
        requests.suspend("acme", asker())
    with pytest.raises(UsageError, match=f"it is being deleted; .*: ./freehold tenant show acme{options} tells"):
        requests.create(ACME, asker())
    end(database)
    anew = f"./freehold tenant create acme --plan PLAN{options} makes a new one"
    with pytest.raises(UsageError, match=f"^tenant acme: it is deleted; {anew}"):
        requests.suspend("acme", asker())
    with pytest.raises(UsageError, match=f"^tenant acme: it is deleted already; nothing is left to do; {anew}"):
        requests.delete("acme", asker())


def test_a_full_cell_takes_no_further_tenant(database: sa.Engine) -> None:
    small = Requests(database, Wishes(CELL, "chronos-cloud", "us-east-1", tenants_maximum=2))

    def create(name: str) -> bool:
        try:
            small.create(Request(name, "starter"), asker())
        except UsageError as error:
            assert error.line().startswith("cell sandbox: it holds 2 tenants, ")
            assert "; choose another cell with --cell" in error.line()
            return False
        return True

    with ThreadPoolExecutor(5) as pool:
        assert sum(pool.map(create, ("a", "b", "c", "d", "e"))) == 2
    present = [one.id for one in Registry(database).list()]
    # Whoever is there already is not refused for it, and a place that was left is free.
    assert create(present[0])
    small.delete(present[0], asker())
    Registry(database).deleted(present[0])
    assert create("f")
    # One that was deleted takes a place when it comes back.
    assert not create(present[0])


def test_a_tenant_that_is_being_deleted_takes_no_other_wish(database: sa.Engine, requests: Requests) -> None:
    requests.create(ACME, asker())
    end(database)
    requests.delete("acme", asker())
    row = Registry(database).get("acme")
    assert row is not None
    assert row.status is Status.DELETING
    refused: tuple[Callable[[], Operation], ...] = (
        lambda: requests.change_plan("acme", "pro", asker()),
        lambda: requests.update("acme", asker()),
    )
    for ask in refused:
        with pytest.raises(UsageError, match="it is being deleted"):
            ask()
    end(database)
    with pytest.raises(UsageError, match="it is deleted already"):
        requests.delete("acme", asker())
    assert requests.create(ACME, asker()).state is State.QUEUED


def test_what_services_may_import_does_not_import_pulumi() -> None:
    program = (
        "import sys, catalog.blueprints, errors, fleet.operations, fleet.queue, fleet.queue_view, fleet.registry\n"
        "import services.logs, services.health\n"
        "print([name for name in sys.modules if name.partition('.')[0].startswith(('pulumi', 'components'))])"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
