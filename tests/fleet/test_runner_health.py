"""What the runner tells of itself and of its cell's queue, over HTTP."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import httpx
import pytest
import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families

from errors import FreeholdError
from fleet import registry
from fleet.operations import OPERATIONS, Kind
from fleet.queue import Queue
from fleet.queue_view import OVERDUE_SECONDS, Backlog, QueueView
from fleet.runner.health import SILENT_SECONDS, Health, served
from tests.fleet.clock import Clock
from tests.fleet.samples import CELL, add_tenants, ask

pytestmark = pytest.mark.sandbox

HOUR = 3600.0


@pytest.fixture
def runner(health: Health) -> Iterator[httpx.Client]:
    with (
        served(health, "127.0.0.1", 0) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client,
    ):
        yield client


def figures(runner: httpx.Client) -> dict[tuple[str, str], float]:
    """By metric and state."""
    families = text_string_to_metric_families(runner.get("/metrics").raise_for_status().text)
    return {(one.name, one.labels.get("state", "")): one.value for family in families for one in family.samples}


def older(database: sa.Engine, tenant: str, seconds: float) -> None:
    then = OPERATIONS.c.created_at - sa.func.make_interval(0, 0, 0, 0, 0, 0, seconds)
    with database.begin() as connection:
        connection.execute(sa.update(OPERATIONS).where(OPERATIONS.c.tenant == tenant).values(created_at=then))


def test_a_cell_that_closes_while_it_is_asked_has_no_figures(health: Health, monkeypatch: pytest.MonkeyPatch) -> None:
    """The runner's own thread closes it, a server's thread asks."""

    class Closing(Health):
        asked = 0

        @property
        def _engine(self) -> sa.Engine | None:
            self.asked += 1
            return sa.create_engine("postgresql+psycopg://nobody@127.0.0.1:1/none") if self.asked == 1 else None

        @_engine.setter
        def _engine(self, _: sa.Engine | None) -> None:
            """Kept above."""

    figures = {one.name: one.samples for one in Closing(CELL).collect()}
    assert [sample.value for sample in figures["freehold_runner_queue_up"]] == [0]


def test_the_queue_in_figures(database: sa.Engine, as_runner: sa.Engine, health: Health, runner: httpx.Client) -> None:
    health.opened(as_runner)
    add_tenants(database, "acme", "beta", "zeta")
    assert {figures(runner)["freehold_operations_oldest_seconds", state] for state in ("queued", "running")} == {0}
    queue = Queue(database)
    ask(database, "acme", Kind.SUSPEND)
    failing = queue.claim(CELL, "one", 60)
    assert failing is not None
    queue.fail(failing, "no", lambda connection: registry.failed(connection, "acme", "no"))
    ask(database, "beta")
    tried = queue.claim(CELL, "one", 60)
    assert tried is not None
    queue.retry(tried, "throttled", 600, lambda connection: None)
    ask(database, "zeta")
    once = queue.claim(CELL, "one", 60)
    assert once is not None
    queue.retry(once, "throttled", 0, lambda connection: None)
    assert queue.claim(CELL, "one", 60) is not None  # which is being tried, and waits no more
    # What is tried again and again counts from when it was asked for.
    older(database, "beta", 2 * HOUR)
    older(database, "zeta", HOUR)
    found = figures(runner)
    counted = {state: found["freehold_operations", state] for state in ("queued", "running", "retrying", "failed")}
    assert counted == {"queued": 1, "running": 1, "retrying": 1, "failed": 1}
    assert found["freehold_operations_oldest_seconds", "queued"] >= 2 * HOUR
    assert HOUR <= found["freehold_operations_oldest_seconds", "running"] < 2 * HOUR
    assert found["freehold_runner_queue_up", ""] == 1
    assert OVERDUE_SECONDS < HOUR
    assert QueueView(database).backlog(CELL).overdue


def test_a_young_queue_is_not_overdue(database: sa.Engine) -> None:
    add_tenants(database, "acme")
    assert not QueueView(database).backlog(CELL).overdue
    ask(database, "acme")
    assert not QueueView(database).backlog(CELL).overdue


@pytest.mark.parametrize(("queued", "running"), [(OVERDUE_SECONDS + 1, 0), (0, OVERDUE_SECONDS + 1)])
def test_what_runs_for_long_is_overdue_as_what_waits_for_long(queued: float, running: float) -> None:
    assert Backlog(0, 0, 0, 0, 0, oldest_queued_seconds=queued, oldest_running_seconds=running).overdue
    assert not Backlog(0, 0, 0, 0, OVERDUE_SECONDS + 1, 0, 0).overdue


def test_ready_while_it_can_work(database: sa.Engine, health: Health, runner: httpx.Client, clock: Clock) -> None:
    assert runner.get("/healthz").status_code == 200
    closed = runner.get("/readyz")
    assert (closed.status_code, closed.text) == (
        503,
        "the cell is not open: its platform or its database does not answer\n",
    )
    health.opened(database)
    assert runner.get("/readyz").status_code == 200
    clock.now += SILENT_SECONDS + 1
    assert runner.get("/readyz").text == f"no sign of life for {SILENT_SECONDS + 1:.0f} s\n"
    health.beat()
    assert runner.get("/readyz").status_code == 200
    health.opened(None)
    assert runner.get("/readyz").status_code == 503


def test_without_its_database_it_lives_and_tells_no_old_figures(health: Health, runner: httpx.Client) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = sa.create_engine(f"postgresql+psycopg://admin@127.0.0.1:{taken.getsockname()[1]}/none")
        health.opened(nobody)
        assert figures(runner) == {("freehold_runner_queue_up", ""): 0}
        assert runner.get("/readyz").text == "the database does not answer\n"
        assert runner.get("/healthz").status_code == 200


def test_a_port_that_is_taken_is_one_line(health: Health) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(FreeholdError) as refused, served(health, "127.0.0.1", port):
            pass
    assert refused.value.line() == (
        f"runner, 127.0.0.1:{port}: it cannot listen there: Address already in use; choose another --port"
    )
