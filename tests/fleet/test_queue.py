"""The queue against a real Postgres server: order, leases, what ends together, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa

from errors import UsageError
from fleet import registry
from fleet.operations import OPERATIONS, Kind, Operation, State
from fleet.queue import SOON_SECONDS, TAKEOVERS, Claim, LeaseLost, Queue
from fleet.queue_view import QueueView
from fleet.registry import Registry, Status
from tests.fleet.samples import CELL, add_tenants, ask

pytestmark = pytest.mark.sandbox

LEASE = 60.0


def nothing(connection: sa.Connection) -> None:
    return None


@pytest.fixture
def queue(database: sa.Engine, as_runner: sa.Engine) -> Queue:
    add_tenants(database, "acme", "beta")
    return Queue(as_runner)


@pytest.fixture
def view(as_runner: sa.Engine) -> QueueView:
    return QueueView(as_runner)


def claim(queue: Queue, holder: str = "one") -> Claim:
    found = queue.claim(CELL, holder, LEASE)
    assert found is not None
    return found


def state(view: QueueView, asked: Operation) -> State:
    found = view.get(asked.id)
    assert found is not None
    return found.state


def expire(database: sa.Engine, claimed: Claim) -> None:
    """As if its lease had run out."""
    past = sa.func.now() - sa.text("interval '1 second'")
    with database.begin() as connection:
        connection.execute(
            sa.update(OPERATIONS).where(OPERATIONS.c.id == claimed.operation.id).values(lease_until=past)
        )


def test_two_requests_with_one_key_are_one_operation(database: sa.Engine, queue: Queue) -> None:
    with ThreadPoolExecutor(8) as pool:
        asked = list(pool.map(lambda _: ask(database, "acme", key="pressed twice"), range(20)))
    assert len({one.id for one in asked}) == 1
    claimed = claim(queue)
    queue.succeed(claimed, {}, nothing)
    assert ask(database, "acme", key="pressed twice").state is State.SUCCEEDED
    assert queue.claim(CELL, "one", LEASE) is None
    with pytest.raises(UsageError, match=r"^idempotency key pressed twice: it was used to update tenant acme; choose"):
        ask(database, "beta", key="pressed twice")


def test_one_at_a_time_of_each_tenant_however_many_ask_at_once(database: sa.Engine, queue: Queue) -> None:
    names = [f"t{number}" for number in range(10)]
    add_tenants(database, *names)
    for name in names:
        ask(database, name, Kind.SUSPEND)
        ask(database, name, Kind.RESUME)
    with ThreadPoolExecutor(10) as pool:
        claims = list(pool.map(lambda number: queue.claim(CELL, f"holder {number}", LEASE), range(30)))
    taken = [one.operation for one in claims if one is not None]
    assert sorted(one.tenant for one in taken) == sorted(names)
    assert {one.kind for one in taken} == {Kind.SUSPEND}
    assert len({one.lease_holder for one in taken}) == 10


def test_only_of_the_cell(database: sa.Engine, queue: Queue) -> None:
    add_tenants(database, "far", cell="sandbox-eu1")
    asked = ask(database, "far")
    assert queue.claim(CELL, "one", LEASE) is None
    claimed = queue.claim("sandbox-eu1", "one", LEASE)
    assert claimed is not None
    assert claimed.operation.id == asked.id


def test_a_tenant_that_asks_much_does_not_keep_the_others_waiting(database: sa.Engine, queue: Queue) -> None:
    for _ in range(5):
        ask(database, "acme", Kind.ROTATE)
    ask(database, "beta", Kind.ROTATE)
    served = []
    while (claimed := queue.claim(CELL, "one", LEASE)) is not None:
        served.append(claimed.operation.tenant)
        queue.succeed(claimed, {}, nothing)
    assert served == ["acme", "beta", "acme", "acme", "acme", "acme"]


def test_a_clock_that_was_set_back_keeps_nothing_waiting_for_long(database: sa.Engine, queue: Queue) -> None:
    """As it was 59 minutes ahead while these were written."""
    asked = ask(database, "beta")
    with database.begin() as connection:
        late = sa.update(OPERATIONS).where(OPERATIONS.c.id == asked.id)
        connection.execute(late.values(not_before=sa.func.now() + sa.text("interval '59 minutes'")))
    ask(database, "acme")
    held, living = claim(queue), sa.func.now() + sa.text("interval '4 minutes'")
    with database.begin() as connection:
        row = sa.update(OPERATIONS).where(OPERATIONS.c.id == held.operation.id)
        connection.execute(row.values(lease_until=sa.func.now() + sa.text("interval '59 minutes'")))

    def waits(column: sa.Column[datetime], of: Operation) -> float:
        left = sa.func.extract("epoch", column - sa.func.now())
        with database.connect() as connection:
            return float(connection.execute(sa.select(left).where(OPERATIONS.c.id == of.id)).scalar_one())

    assert queue.claim(CELL, "two", LEASE) is None
    for column, of in ((OPERATIONS.c.lease_until, held.operation), (OPERATIONS.c.not_before, asked)):
        assert SOON_SECONDS - 60 < waits(column, of) <= SOON_SECONDS
    queue.renew(held, LEASE)
    assert waits(OPERATIONS.c.lease_until, held.operation) <= LEASE
    with database.begin() as connection:
        connection.execute(row.values(lease_until=living))
    assert queue.claim(CELL, "two", LEASE) is None
    assert waits(OPERATIONS.c.lease_until, held.operation) < 241


def test_an_expired_lease_is_taken_over_and_the_old_holder_is_refused(database: sa.Engine, queue: Queue) -> None:
    ask(database, "acme")
    first = claim(queue, "one")
    assert queue.claim(CELL, "two", LEASE) is None
    expire(database, first)
    second = claim(queue, "two")
    assert second.operation.id == first.operation.id
    assert (second.operation.attempt, second.operation.takeovers) == (2, 1)

    def write(connection: sa.Connection) -> None:
        registry.applied(connection, "acme", "stale", "0.1.0")

    attempts: tuple[Callable[[], None], ...] = (
        lambda: queue.renew(first, LEASE),
        lambda: queue.succeed(first, {}, write),
        lambda: queue.fail(first, "no", write),
        lambda: queue.retry(first, "no", 1, write),
        lambda: queue.hand_back(first),
        lambda: queue.cancel_claimed(first, "no"),
    )
    for refused in attempts:
        with pytest.raises(LeaseLost):
            refused()
    tenant = Registry(database).get("acme")
    assert tenant is not None
    assert tenant.applied_hash is None
    queue.renew(second, LEASE)
    queue.succeed(second, {"changes": {"create": 1}}, write)
    with pytest.raises(LeaseLost):
        queue.renew(second, LEASE)


def test_the_same_holder_s_earlier_claim_is_refused_too(database: sa.Engine, queue: Queue) -> None:
    ask(database, "acme")
    first = claim(queue)
    queue.hand_back(first)
    second = claim(queue)
    with pytest.raises(LeaseLost):
        queue.succeed(first, {}, nothing)
    queue.succeed(second, {}, nothing)


def test_a_lease_that_is_renewed_is_not_taken_over(database: sa.Engine, queue: Queue, view: QueueView) -> None:
    ask(database, "acme")
    first = claim(queue)
    expire(database, first)
    queue.renew(first, LEASE, {"done": 3})
    assert queue.claim(CELL, "two", LEASE) is None
    found = view.get(first.operation.id)
    assert found is not None
    assert found.progress == {"done": 3}


def test_what_kills_every_runner_is_given_up(database: sa.Engine, queue: Queue, view: QueueView) -> None:
    asked = ask(database, "acme")
    for _ in range(TAKEOVERS):
        expire(database, claim(queue))
    assert queue.claim(CELL, "one", LEASE) is None
    found = view.get(asked.id)
    assert found is not None
    assert (found.state, found.attempt) == (State.FAILED, TAKEOVERS)
    assert found.error == f"given up: whoever ran it ended in the middle of it, {TAKEOVERS} times"
    tenant = Registry(database).get("acme")
    assert tenant is not None
    assert (tenant.status, tenant.last_error) == (Status.FAILED, found.error)


def test_builds_asked_before_a_run_began_end_with_it(database: sa.Engine, queue: Queue, view: QueueView) -> None:
    before = [ask(database, "acme", Kind.CREATE), ask(database, "acme"), ask(database, "acme")]
    claimed = claim(queue)
    later = ask(database, "acme")
    assert claimed.operation.id == before[0].id
    queue.succeed(claimed, {"changes": {}}, nothing)
    assert [state(view, one) for one in before] == [State.SUCCEEDED] * 3
    covered = view.get(before[2].id)
    assert covered is not None
    assert covered.result == {"changes": {}, "done_by": str(before[0].id)}
    assert claim(queue).operation.id == later.id


def test_builds_do_not_end_with_one_before_something_else(database: sa.Engine, queue: Queue, view: QueueView) -> None:
    first, rotate, last = (ask(database, "acme", kind) for kind in (Kind.UPDATE, Kind.ROTATE, Kind.UPDATE))
    queue.succeed(claim(queue), {}, nothing)
    assert [state(view, one) for one in (first, rotate, last)] == [State.SUCCEEDED, State.QUEUED, State.QUEUED]
    assert claim(queue).operation.id == rotate.id


def test_a_refused_build_ends_those_that_want_the_same(database: sa.Engine, queue: Queue, view: QueueView) -> None:
    asked = [ask(database, "acme"), ask(database, "acme")]
    queue.fail(claim(queue), "refused by policy", lambda connection: registry.failed(connection, "acme", "refused"))
    assert [state(view, one) for one in asked] == [State.FAILED] * 2
    assert [one.id for one in view.failing(CELL)] == [asked[1].id]


def test_a_retry_waits_with_what_it_covers_but_not_with_what_is_asked_anew(
    database: sa.Engine, queue: Queue, view: QueueView
) -> None:
    first, second = ask(database, "acme"), ask(database, "acme")
    queue.retry(claim(queue), "throttled", 60, lambda connection: registry.troubled(connection, "acme", "throttled"))
    assert queue.claim(CELL, "one", LEASE) is None
    waiting = view.get(first.id)
    assert waiting is not None
    assert (waiting.state, waiting.failures, waiting.error) == (State.QUEUED, 1, "throttled")
    assert view.backlog(CELL).retrying == 1
    mended = ask(database, "acme")
    claimed = claim(queue)
    assert claimed.operation.id == mended.id
    queue.succeed(claimed, {}, nothing)
    assert [state(view, one) for one in (first, second)] == [State.SUCCEEDED] * 2


def test_a_deletion_overtakes_what_waits_and_cancels_it(database: sa.Engine, queue: Queue, view: QueueView) -> None:
    update, suspend = ask(database, "acme"), ask(database, "acme", Kind.SUSPEND)
    queue.retry(claim(queue), "throttled", 60, nothing)
    delete = ask(database, "acme", Kind.DELETE)
    claimed = claim(queue)
    assert claimed.operation.id == delete.id
    assert [state(view, one) for one in (update, suspend)] == [State.CANCELLED] * 2
    queue.succeed(claimed, {}, lambda connection: registry.deleted(connection, "acme"))
    tenant = Registry(database).get("acme")
    assert tenant is not None
    assert tenant.status is Status.DELETED


def test_a_deletion_leaves_what_was_asked_after_it(database: sa.Engine, queue: Queue, view: QueueView) -> None:
    ask(database, "acme", Kind.DELETE)
    later = ask(database, "acme", Kind.CREATE)
    queue.succeed(claim(queue), {}, nothing)
    assert state(view, later) is State.QUEUED


def test_what_was_cancelled_meanwhile_does_not_end_with_what_covered_it(
    database: sa.Engine, queue: Queue, view: QueueView
) -> None:
    ask(database, "acme")
    covered = ask(database, "acme", Kind.SUSPEND)
    claimed = claim(queue)
    assert claimed.covers == (covered.id,)
    queue.cancel(covered.id, "changed my mind")
    queue.succeed(claimed, {}, nothing)
    found = view.get(covered.id)
    assert found is not None
    assert (found.state, found.error) == (State.CANCELLED, "changed my mind")


def test_what_is_handed_back_runs_no_more_and_is_no_death(database: sa.Engine, queue: Queue, view: QueueView) -> None:
    asked = ask(database, "acme")
    claimed = claim(queue)
    queue.renew(claimed, LEASE, {"done": 3})
    queue.hand_back(claimed)
    found = view.get(asked.id)
    assert found is not None
    assert (found.state, found.lease_holder, found.lease_until, found.progress) == (State.QUEUED, None, None, None)
    again = claim(queue).operation
    assert (again.attempt, again.takeovers, again.failures) == (2, 0, 0)


def test_a_tenant_whose_row_somebody_holds_keeps_nobody_waiting(database: sa.Engine, queue: Queue) -> None:
    ask(database, "acme")
    ask(database, "beta")
    impatient = sa.create_engine(database.url, connect_args={"options": "-c lock_timeout=1s"})
    with database.begin() as connection:
        registry.lock(connection, "acme")
        found = Queue(impatient).claim(CELL, "one", LEASE)
    impatient.dispose()
    assert found is not None and found.operation.tenant == "beta"


def test_a_deletion_waits_for_what_runs(database: sa.Engine, queue: Queue) -> None:
    ask(database, "acme")
    running = claim(queue)
    ask(database, "acme", Kind.DELETE)
    assert queue.claim(CELL, "two", LEASE) is None
    queue.succeed(running, {}, lambda connection: registry.applied(connection, "acme", "hash", "0.1.0"))
    assert claim(queue).operation.kind is Kind.DELETE


def test_one_that_is_being_deleted_is_not_active_again(database: sa.Engine, queue: Queue) -> None:
    ask(database, "acme")
    running = claim(queue)
    Registry(database).deleting("acme")
    queue.succeed(running, {}, lambda connection: registry.applied(connection, "acme", "hash", "0.1.0"))
    tenant = Registry(database).get("acme")
    assert tenant is not None
    assert tenant.status is Status.DELETING


def test_cancelling(database: sa.Engine, queue: Queue, view: QueueView) -> None:
    first, second = ask(database, "acme", Kind.SUSPEND), ask(database, "acme", Kind.RESUME)
    claim(queue)
    assert not queue.cancel(first.id, "changed my mind")
    assert queue.cancel(second.id, "changed my mind")
    found = view.get(second.id)
    assert found is not None
    assert (found.state, found.error) == (State.CANCELLED, "changed my mind")


def test_figures(database: sa.Engine, queue: Queue, view: QueueView) -> None:
    assert view.backlog(CELL).oldest_seconds == 0
    ask(database, "acme", Kind.SUSPEND, key="mine")
    ask(database, "beta")
    ask(database, "beta", Kind.SUSPEND)
    claim(queue)
    backlog = view.backlog(CELL)
    assert (backlog.queued, backlog.running, backlog.retrying, backlog.failed) == (2, 1, 0, 0)
    assert backlog.oldest_seconds > 0
    found = view.by_key("mine")
    assert found is not None
    latest = view.latest("acme")
    assert latest is not None
    assert (latest.id, latest.state) == (found.id, State.RUNNING)
    assert view.latest("nobody") is None


def test_of_those_that_wait_the_first_is_shown(database: sa.Engine, queue: Queue, view: QueueView) -> None:
    def shown() -> Operation:
        found = view.latest("acme")
        assert found is not None
        return found

    first = ask(database, "acme")
    queue.retry(claim(queue), "throttled", 60, nothing)
    second = ask(database, "acme", Kind.SUSPEND)
    assert (shown().id, shown().error) == (first.id, "throttled")
    assert claim(queue).operation.id == second.id == shown().id


def test_a_deletion_is_shown_before_what_it_overtakes(database: sa.Engine, queue: Queue, view: QueueView) -> None:
    ask(database, "acme")
    delete = ask(database, "acme", Kind.DELETE)
    found = view.latest("acme")
    assert found is not None
    assert found.id == delete.id


def test_what_was_given_up_counts_until_something_is_asked_for_again(
    database: sa.Engine, queue: Queue, view: QueueView
) -> None:
    ask(database, "acme")
    queue.fail(claim(queue), "no", nothing)
    assert (view.backlog(CELL).failed, [one.tenant for one in view.failing(CELL)]) == (1, ["acme"])
    assert (view.backlog("sandbox-eu1").failed, view.failing("sandbox-eu1")) == (0, [])
    ask(database, "acme")
    assert (view.backlog(CELL).failed, view.failing(CELL)) == (0, [])


def test_figures_are_had_without_reading_all_operations_that_ever_were(
    database: sa.Engine, as_runner: sa.Engine
) -> None:
    history = sa.text("""
        INSERT INTO operations (tenant, kind, idempotency_key, requester, payload, correlation_id, state, finished_at)
        SELECT 't' || number % 100, 'update', number, 'test', '{}', 'c',
               CASE WHEN number % 100 = 0 THEN 'failed' ELSE 'succeeded' END, now()
        FROM generate_series(1, 10000) AS number
    """)
    add_tenants(database, *(f"t{number}" for number in range(100)))
    with database.begin() as connection:
        connection.execute(history)
    for number in range(1, 21):
        ask(database, f"t{number}")
    with database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE tenants, operations"))
    asked: list[tuple[str, Any]] = []
    rows: list[int] = []

    @sa.event.listens_for(as_runner, "after_cursor_execute")
    def listen(
        connection: object, cursor: Any, statement: str, parameters: object, context: object, many: bool
    ) -> None:
        if "FROM operations" in statement:
            asked.append((statement, parameters))
            rows.append(cursor.rowcount)

    view = QueueView(as_runner)
    backlog = view.backlog(CELL)
    assert (backlog.queued, backlog.failed) == (20, 1)
    assert set(rows) == {1}
    assert (len(view.open(CELL)), [one.tenant for one in view.failing(CELL)]) == (20, ["t0"])
    with database.connect() as connection:
        for statement, parameters in tuple(asked):
            plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars())
            assert "Seq Scan on operations" not in plan, plan


def test_how_long_it_took_is_kept(database: sa.Engine, queue: Queue, view: QueueView) -> None:
    asked = ask(database, "acme")
    claimed = claim(queue)
    with database.begin() as connection:
        earlier = sa.func.now() - sa.text("interval '7 seconds'")
        connection.execute(sa.update(OPERATIONS).values(started_at=earlier))
    queue.succeed(claimed, {}, nothing)
    found = view.get(asked.id)
    assert found is not None
    assert found.seconds is not None
    assert 7 <= found.seconds < 67
