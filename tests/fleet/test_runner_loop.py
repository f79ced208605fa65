"""The runner's loop against a real queue, with work that the test decides."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import sqlalchemy as sa
import structlog

from catalog.services import Service
from errors import FreeholdError, TransientError
from fleet import registry
from fleet.backoff import Backoff
from fleet.events import Progress
from fleet.interrupts import Interrupted
from fleet.operations import OPERATIONS, Kind, Operation, State
from fleet.queue import Claim, Queue, Record
from fleet.queue_view import QueueView
from fleet.registry import Registry, Status, Tenant
from fleet.runner.loop import Pace, Runner, Superseded
from fleet.runner.running import Done, Run
from tests.fleet.samples import CELL, add_tenants, ask
from tests.service_logins import login

pytestmark = pytest.mark.sandbox

PACE = Pace(concurrency=2, lease=5, heartbeat=0.05, poll=0.02, drain=0.2, grace=5, backoff=Backoff(first=0.01, limit=3))


@dataclass
class Scripted:
    """For each tenant what its attempts come to, in turn; the last holds for all that follow."""

    script: Mapping[str, list[Callable[[Run], None]]]
    attempts: list[str] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    def __call__(self, run: Run) -> Done:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        tenant = run.operation.tenant
        try:
            number = self.attempts.count(tenant)
            self.attempts.append(tenant)
            steps = self.script.get(tenant, [well])
            steps[min(number, len(steps) - 1)](run)
        finally:
            self.at_once -= 1
        return Done({"changes": {"create": 1}}, lambda c: registry.applied(c, tenant, "hash", "0.1.0"))


def well(run: Run) -> None:
    return None


def raising(error: Exception) -> Callable[[Run], None]:
    def step(run: Run) -> None:
        raise error

    return step


@contextmanager
def running(database: sa.Engine, work: Scripted, pace: Pace = PACE, queue: type[Queue] = Queue) -> Iterator[Runner]:
    engine = sa.create_engine(login(database.url, Service.RUNNER))
    runner = Runner(queue(engine), work, cell=CELL, holder="one", pace=pace)
    thread = threading.Thread(target=runner.run)
    thread.start()
    try:
        yield runner
    finally:
        runner.stop()
        thread.join()
        engine.dispose()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)


def ended(database: sa.Engine, asked: Operation) -> Operation:
    view = QueueView(database)

    def has_ended() -> bool:
        now = view.get(asked.id)
        return now is not None and now.ended

    until(has_ended)
    found = view.get(asked.id)
    assert found is not None
    return found


def tenant(database: sa.Engine, name: str = "acme") -> Tenant:
    found = Registry(database).get(name)
    assert found is not None
    return found


def test_what_succeeds_is_written_with_the_tenant_s_row(database: sa.Engine) -> None:
    add_tenants(database, "acme")
    with running(database, Scripted({})):
        done = ended(database, ask(database, "acme", Kind.CREATE))
    assert (done.state, done.attempt, done.result) == (State.SUCCEEDED, 1, {"changes": {"create": 1}})
    assert done.seconds is not None
    assert (tenant(database).status, tenant(database).applied_hash) == (Status.ACTIVE, "hash")


def test_what_may_pass_is_tried_again(database: sa.Engine) -> None:
    add_tenants(database, "acme")
    refused = TransientError("connection refused", where="stack acme", mend="see the log")
    with running(database, Scripted({"acme": [raising(refused), raising(refused), well]})):
        done = ended(database, ask(database, "acme", Kind.CREATE))
    assert (done.state, done.attempt, done.failures, done.error) == (State.SUCCEEDED, 3, 2, None)
    assert tenant(database).last_error is None


def test_a_tenant_keeps_its_status_while_it_is_tried_again(database: sa.Engine) -> None:
    add_tenants(database, "acme")
    registry_of = Registry(database)
    registry_of.applied("acme", "old", "0.1.0")
    slow = replace(PACE, backoff=Backoff(first=600, longest=600))
    with running(database, Scripted({"acme": [raising(TransientError("throttled"))]}), slow):
        asked = ask(database, "acme")
        until(lambda: bool(QueueView(database).failing(CELL)))
    row = tenant(database)
    assert (row.status, row.last_error) == (Status.ACTIVE, "throttled")
    now = QueueView(database).get(asked.id)
    assert now is not None
    assert now.not_before > now.created_at


def test_it_gives_up_with_a_reason(database: sa.Engine) -> None:
    add_tenants(database, "acme")
    with running(database, Scripted({"acme": [raising(TransientError("throttled", where="stack acme"))]})):
        done = ended(database, ask(database, "acme"))
    assert (done.state, done.attempt) == (State.FAILED, 3)
    assert done.error == "given up after 3 failures: stack acme: throttled"
    assert (tenant(database).status, tenant(database).last_error) == (Status.FAILED, done.error)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FreeholdError("refused by policy", where="stack acme"), "stack acme: refused by policy"),
        (KeyError("oops"), "a defect of the runner: KeyError: 'oops'"),
    ],
)
def test_what_does_not_pass_fails_at_once(database: sa.Engine, error: Exception, said: str) -> None:
    add_tenants(database, "acme", "beta")
    with running(database, Scripted({"acme": [raising(error)]})):
        failed, other = ask(database, "acme"), ask(database, "beta")
        done = ended(database, failed)
        assert ended(database, other).state is State.SUCCEEDED
    assert (done.state, done.attempt, done.error) == (State.FAILED, 1, said)
    assert tenant(database).status is Status.FAILED


def test_a_deletion_that_fails_leaves_the_tenant_being_deleted(database: sa.Engine) -> None:
    add_tenants(database, "acme")
    Registry(database).deleting("acme")
    with running(database, Scripted({"acme": [raising(FreeholdError("protected"))]})):
        assert ended(database, ask(database, "acme", Kind.DELETE)).state is State.FAILED
    assert (tenant(database).status, tenant(database).last_error) == (Status.DELETING, "protected")


def test_what_has_nothing_to_do_any_more_is_cancelled(database: sa.Engine) -> None:
    add_tenants(database, "acme")
    with running(database, Scripted({"acme": [raising(Superseded("it is being deleted"))]})):
        done = ended(database, ask(database, "acme"))
    assert (done.state, done.error) == (State.CANCELLED, "it is being deleted")
    assert tenant(database).status is Status.PENDING


def test_no_more_at_once_than_it_may(database: sa.Engine) -> None:
    names = [f"t{number}" for number in range(6)]
    add_tenants(database, *names)
    gate = threading.Event()
    work = Scripted({name: [lambda run: until(gate.is_set)] for name in names})
    with running(database, work):
        asked = [ask(database, name) for name in names]
        until(lambda: work.at_once == PACE.concurrency)
        # It looks for more all the time.
        assert QueueView(database).backlog(CELL).running == PACE.concurrency
        gate.set()
        assert {ended(database, one).state for one in asked} == {State.SUCCEEDED}
    assert work.most_at_once == PACE.concurrency


def test_progress_is_told_with_the_lease(database: sa.Engine) -> None:
    add_tenants(database, "acme")
    gate = threading.Event()

    def step(run: Run) -> None:
        run.observe(Progress(previewing=False, planned=12, done=5, current="creating database"))
        until(gate.is_set)

    with running(database, Scripted({"acme": [step]})):
        asked = ask(database, "acme")

        def progress() -> Mapping[str, object]:
            now = QueueView(database).get(asked.id)
            return (now.progress if now is not None else None) or {}

        until(lambda: bool(progress()))
        assert progress() == {"previewing": False, "planned": 12, "done": 5, "current": "creating database"}
        gate.set()
        assert ended(database, asked).progress is None


def test_told_to_stop_it_hands_back_what_does_not_end_in_time(database: sa.Engine) -> None:
    add_tenants(database, "acme")
    begun = threading.Event()

    def step(run: Run) -> None:
        begun.set()
        until(lambda: run.interrupts.count > 0)
        raise Interrupted("stack acme")

    with running(database, Scripted({"acme": [step]})) as runner:
        asked = ask(database, "acme")
        until(begun.is_set)
        runner.stop()
    now = QueueView(database).get(asked.id)
    assert now is not None
    assert (now.state, now.failures, now.lease_holder) == (State.QUEUED, 0, None)
    with running(database, Scripted({})):
        assert ended(database, asked).attempt == 2


def test_told_to_stop_it_lets_end_what_does(database: sa.Engine) -> None:
    add_tenants(database, "acme")
    begun = threading.Event()

    def step(run: Run) -> None:
        begun.set()
        time.sleep(0.3)

    with running(database, Scripted({"acme": [step]}), replace(PACE, drain=60)) as runner:
        asked = ask(database, "acme")
        until(begun.is_set)
        runner.stop()
    assert ended(database, asked).state is State.SUCCEEDED


def test_one_that_lost_its_lease_is_stopped_and_writes_nothing(database: sa.Engine) -> None:
    add_tenants(database, "acme")
    stopped = threading.Event()

    def step(run: Run) -> None:
        with database.begin() as connection:
            connection.execute(sa.update(OPERATIONS).values(lease_holder="another"))
        until(lambda: run.interrupts.count > 0)
        stopped.set()
        raise Interrupted("stack acme")

    with running(database, Scripted({"acme": [step]})):
        asked = ask(database, "acme")
        until(stopped.is_set)
    now = QueueView(database).get(asked.id)
    assert now is not None
    assert (now.state, now.lease_holder) == (State.RUNNING, "another")


class Lingering(Queue):
    """Returns late from what it has committed."""

    def succeed(self, claim: Claim, result: Mapping[str, Any], record: Record) -> None:
        super().succeed(claim, result, record)
        time.sleep(5 * PACE.heartbeat)


def test_a_renewal_after_the_end_takes_no_lease_for_lost(database: sa.Engine) -> None:
    add_tenants(database, "acme")
    with structlog.testing.capture_logs() as lines, running(database, Scripted({}), queue=Lingering):
        assert ended(database, ask(database, "acme")).state is State.SUCCEEDED
        until(lambda: len(lines) >= 2)
    assert [line["event"] for line in lines] == ["operation-begun", "operation-succeeded"]


def test_every_line_carries_the_correlation_id(database: sa.Engine) -> None:
    add_tenants(database, "acme")
    merge = structlog.contextvars.merge_contextvars
    with structlog.testing.capture_logs(processors=[merge]) as lines, running(database, Scripted({})):
        asked = ask(database, "acme")
        ended(database, asked)
        until(lambda: len(lines) >= 2)  # the last line is written after the operation's end is
    told = {line["event"]: line for line in lines}
    assert set(told) == {"operation-begun", "operation-succeeded"}
    for line in told.values():
        assert line["correlation_id"] == asked.correlation_id
        assert (line["tenant"], line["operation"]) == ("acme", str(asked.id))


class Hiccup(Queue):
    """The first claim after `well_for` claims finds no database."""

    well_for = 1
    claims = 0

    def claim(self, cell: str, holder: str, lease_seconds: float) -> Claim | None:
        self.claims += 1
        if self.claims == self.well_for + 1:
            raise sa.exc.OperationalError("SELECT", {}, Exception("the connection was closed"))
        return super().claim(cell, holder, lease_seconds)


def test_a_database_that_was_not_asked_for_longer_than_a_lease_is_not_gone(database: sa.Engine) -> None:
    add_tenants(database, "acme", "globex")
    busy = replace(PACE, concurrency=1, lease=1)

    def longer_than_a_lease(run: Run) -> None:
        time.sleep(1.5 * busy.lease)

    asked = [ask(database, "acme"), ask(database, "globex")]
    work = Scripted({"acme": [longer_than_a_lease]})
    with structlog.testing.capture_logs() as lines, running(database, work, busy, Hiccup):
        assert [ended(database, one).state for one in asked] == [State.SUCCEEDED] * 2
    assert [line["event"] for line in lines].count("database-does-not-answer") == 1
