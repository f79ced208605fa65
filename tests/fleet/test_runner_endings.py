"""How the runner ends what it has: by a queue of the test's, which does not answer, answers late, or never again."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
import sqlalchemy as sa
import structlog

from errors import TransientError
from fleet.backoff import Backoff
from fleet.interrupts import Interrupted
from fleet.operations import Kind
from fleet.queue import Claim, Queue
from fleet.runner import loop
from fleet.runner.loop import Pace, Runner
from fleet.runner.running import Done, Run, Work

PATIENCE = 10.0
LONG = 120.0
PACE = Pace(concurrency=1, lease=LONG, heartbeat=LONG, poll=0.005, drain=0.01, grace=0.01, longest=LONG)


def gone() -> sa.exc.OperationalError:
    return sa.exc.OperationalError("SELECT", {}, Exception("the database system is shutting down"))


def read_only() -> sa.exc.InternalError:
    """As a server says it for a while after a failover."""
    return sa.exc.InternalError("UPDATE", {}, Exception("cannot execute UPDATE in a read-only transaction"))


class Answers(Queue):
    """Has `operations` of one attempt each; `written` is what came of them."""

    def __init__(self, operations: int = 1) -> None:
        self.left = operations
        self.written: list[str] = []
        self.writing: Callable[[], object] = lambda: None
        """Called before each write; may raise."""
        self.trouble: sa.exc.SQLAlchemyError | None = None

    def claim(self, cell: str, holder: str, lease_seconds: float) -> Claim | None:
        if self.trouble is not None:
            raise self.trouble
        if not self.left:
            return None
        self.left -= 1
        about = {"tenant": "acme", "kind": Kind.UPDATE, "correlation_id": "c", "requester": "test", "attempt": 1}
        operation = SimpleNamespace(id=uuid.uuid4(), failures=0, **about)
        return cast(Claim, SimpleNamespace(operation=operation, asked=time.monotonic()))

    def _write(self, what: str) -> None:
        self.writing()
        self.written.append(what)

    def succeed(self, *_: Any) -> None:
        self._write("succeeded")

    def fail(self, *_: Any) -> None:
        self._write("failed")

    def retry(self, *_: Any) -> None:
        self._write("to be retried")

    def hand_back(self, *_: Any) -> None:
        self._write("handed back")


def done(run: Run) -> Done:
    return Done({}, lambda connection: None)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.001)


def stopped_at(count: int) -> Work:
    """Work that ends when it was asked to for the time of that number."""

    def work(run: Run) -> Done:
        until(lambda: run.interrupts.count >= count)
        raise Interrupted("stack acme")

    return work


@contextmanager
def running(queue: Queue, work: Work, pace: Pace = PACE) -> Iterator[tuple[Runner, list[Any]]]:
    """Yields what is logged, too; afterwards it has ended."""
    runner = Runner(queue, work, cell="sandbox", holder="one", pace=pace)
    thread = threading.Thread(target=runner.run, daemon=True)
    with structlog.testing.capture_logs() as lines:
        thread.start()
        yield runner, lines
        runner.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_what_came_of_it_is_written_when_the_database_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_WRITE_PAUSE_SECONDS", 0.001)
    queue, troubles = Answers(), [gone(), read_only()]

    def writing() -> None:
        if troubles:
            raise troubles.pop()

    queue.writing = writing
    with running(queue, done):
        until(lambda: queue.written == ["succeeded"])


@pytest.mark.parametrize("trouble", [gone(), LookupError("a defect")])
def test_what_cannot_be_written_is_left_to_the_lease_and_the_next_is_taken(
    monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    monkeypatch.setattr(loop, "_WRITE_PAUSE_SECONDS", 0.001)
    queue = Answers(operations=2)

    def writing() -> None:
        if queue.left:
            raise trouble

    queue.writing = writing
    with running(queue, done, replace(PACE, poll=0.05)) as (_, lines):
        until(lambda: queue.written == ["succeeded"])
    assert [line["event"] for line in lines if line["event"].startswith("operation-")] == [
        "operation-begun",
        "operation-not-written",
        "operation-abandoned",
        "operation-begun",
        "operation-succeeded",
    ]


def test_a_lease_that_runs_out_while_the_end_is_written_stops_nothing() -> None:
    queue, seen = Answers(), list[Run]()

    def work(run: Run) -> Done:
        seen.append(run)
        return done(run)

    queue.writing = lambda: time.sleep(0.1)
    with running(queue, work, replace(PACE, lease=0.05)) as (_, lines):
        until(lambda: queue.written == ["succeeded"])
    assert (seen[0].lost, seen[0].interrupts.count) == (False, 0)
    assert "lease-run-out" not in [line["event"] for line in lines]


def test_of_what_it_has_lost_it_writes_nothing() -> None:
    queue = Answers()
    with running(queue, stopped_at(1), replace(PACE, lease=0.02)) as (_, lines):
        until(lambda: any(line["event"] == "operation-abandoned" for line in lines))
    assert queue.written == []


@pytest.mark.parametrize("count", [1, 2])
def test_told_to_stop_it_asks_what_goes_on_and_then_ends_it(count: int) -> None:
    queue = Answers()
    with running(queue, stopped_at(count)) as (runner, _):
        until(lambda: bool(runner._running))
    assert queue.written == ["handed back"]


def test_what_was_to_be_ended_before_is_not_only_asked_again() -> None:
    queue, counts, begun, stopped = Answers(), list[int](), threading.Event(), threading.Event()

    def work(run: Run) -> Done:
        run.interrupts.count = 2
        begun.set()
        assert stopped.wait(PATIENCE)
        for _ in range(20):
            counts.append(run.interrupts.count)
            time.sleep(0.005)
        raise Interrupted("stack acme")

    with running(queue, work, replace(PACE, drain=LONG)) as (runner, _):
        assert begun.wait(PATIENCE)
        runner.stop()
        stopped.set()
        until(lambda: bool(queue.written))
    assert set(counts) == {2}


@pytest.mark.parametrize("trouble", [gone(), read_only()], ids=["gone", "read-only"])
def test_without_its_database_for_longer_than_a_lease_it_ends_what_goes_on_and_raises(
    trouble: sa.exc.SQLAlchemyError,
) -> None:
    """Whoever runs it opens the cell anew: the database may be elsewhere by now."""
    queue, ended = Answers(), list[int]()

    def work(run: Run) -> Done:
        queue.trouble = trouble
        try:
            return stopped_at(2)(run)
        finally:
            ended.append(run.interrupts.count)

    runner = Runner(queue, work, cell="sandbox", holder="one", pace=replace(PACE, concurrency=2, lease=0.05))
    with pytest.raises(type(trouble)):
        runner.run()
    assert (ended, queue.written) == ([2], [])


@pytest.mark.parametrize(("limit", "written"), [(1, "failed"), (2, "to be retried")])
def test_the_last_failure_is_the_one_of_that_number(limit: int, written: str) -> None:
    queue = Answers()

    def work(run: Run) -> Done:
        raise TransientError("throttled")

    with running(queue, work, replace(PACE, backoff=Backoff(limit=limit))):
        until(lambda: queue.written == [written])


@pytest.mark.parametrize("trouble", [gone(), read_only()], ids=["gone", "read-only"])
def test_a_database_that_fails_the_work_may_be_back_for_the_next_try(trouble: sa.exc.SQLAlchemyError) -> None:
    """It reads the tenant's row between the claim and the engine: no reason to give the tenant up."""
    queue = Answers()

    def work(run: Run) -> Done:
        raise trouble

    with running(queue, work) as (_, lines):
        until(lambda: queue.written == ["to be retried"])
        until(lambda: any(line["event"] == "operation-to-be-retried" for line in lines))
    (told,) = (line["error"] for line in lines if line["event"] == "operation-to-be-retried")
    assert told == f"control database: {str(trouble).splitlines()[0]}"
