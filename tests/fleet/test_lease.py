"""The lease of an operation that is worked on: what becomes of the work when the database cannot be reached."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import sqlalchemy as sa

from fleet.queue import Claim, Queue
from fleet.runner.running import Run
from tests.fleet.samples import CELL, add_tenants, ask
from tests.stalling_proxy import StallingProxy, stalling_proxy

pytestmark = pytest.mark.sandbox

LEASE, LONG, HEARTBEAT = 1.0, 120.0, 0.05


@pytest.fixture
def proxy(database: sa.Engine) -> Iterator[StallingProxy]:
    assert database.url.host is not None and database.url.port is not None
    with stalling_proxy(database.url.host, database.url.port) as made:
        yield made


@pytest.fixture
def through(proxy: StallingProxy, as_runner: sa.Engine) -> Iterator[sa.Engine]:
    """The database as the runner logs in to it, by way of the proxy."""
    engine = sa.create_engine(as_runner.url.set(port=proxy.port), pool_pre_ping=True)
    yield engine
    engine.dispose()


def claimed(database: sa.Engine, queue: Queue) -> Claim:
    add_tenants(database, "acme")
    ask(database, "acme")
    found = queue.claim(CELL, "one", LEASE)
    assert found is not None
    return found


def run_of(queue: Queue, claim: Claim, *, lease: float, heartbeat: float) -> Run:
    return Run(queue, claim, lease_seconds=lease, heartbeat_seconds=heartbeat, longest_seconds=LONG, grace_seconds=LONG)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)


def until_stopped(run: Run) -> None:
    until(lambda: run.interrupts.count > 0)


def test_it_is_lost_in_time_although_its_renewal_hangs(
    database: sa.Engine, through: sa.Engine, proxy: StallingProxy
) -> None:
    queue = Queue(through)
    with run_of(queue, claimed(database, queue), lease=LEASE, heartbeat=HEARTBEAT) as run:
        proxy.stall()
        until_stopped(run)
        assert run.lost
    # Whoever comes next may have it: nothing renews it any more, although the hanging call has not come back.
    direct = Queue(database)
    until(lambda: direct.claim(CELL, "two", LONG) is not None)


class AnswersLate(Queue):
    """Renews, and is heard of only when the test says so."""

    def __init__(self, engine: sa.Engine) -> None:
        super().__init__(engine)
        self.asked: list[float] = []
        self.answers = threading.Semaphore(0)

    def renew(self, claim: Claim, lease_seconds: float, progress: Mapping[str, Any] | None = None) -> None:
        self.asked.append(time.monotonic())
        super().renew(claim, lease_seconds, progress)
        assert self.answers.acquire(timeout=60)


def test_a_late_answer_makes_it_no_longer(database: sa.Engine, as_runner: sa.Engine) -> None:
    queue = AnswersLate(as_runner)
    claim = claimed(database, queue)
    with run_of(queue, claim, lease=LONG, heartbeat=HEARTBEAT) as run:
        until(lambda: len(queue.asked) == 1)
        time.sleep(1)
        queue.answers.release()
        until(lambda: len(queue.asked) == 2)
        assert claim.asked + LONG < run.held_until <= queue.asked[0] + LONG
        queue.answers.release(1000)


def test_it_began_when_it_was_asked_for(database: sa.Engine, as_runner: sa.Engine) -> None:
    class Slowly(Queue):
        def claim(self, cell: str, holder: str, lease_seconds: float) -> Claim | None:
            found = super().claim(cell, holder, lease_seconds)
            # As if the answer had been on its way for longer than the lease.
            time.sleep(2 * LEASE)
            return found

    queue = Slowly(as_runner)
    with run_of(queue, claimed(database, queue), lease=LEASE, heartbeat=LONG) as run:
        until_stopped(run)
        assert run.lost


def test_what_is_renewed_is_not_lost(database: sa.Engine, as_runner: sa.Engine) -> None:
    class Counting(Queue):
        renewals = 0

        def renew(self, claim: Claim, lease_seconds: float, progress: Mapping[str, Any] | None = None) -> None:
            super().renew(claim, lease_seconds, progress)
            self.renewals += 1

    queue = Counting(as_runner)
    with run_of(queue, claimed(database, queue), lease=LONG, heartbeat=HEARTBEAT) as run:
        until(lambda: queue.renewals >= 5)
    assert not run.lost
    assert not run.interrupts.count
