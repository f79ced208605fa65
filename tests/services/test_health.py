"""/healthz, /readyz and /metrics."""

from __future__ import annotations

import asyncio
import socket

import httpx
import pytest
import sqlalchemy as sa
from prometheus_client import CollectorRegistry, Counter
from starlette.applications import Starlette

from services.health import NotReady, ReadyCheck, database_answers, routes


def _get(
    path: str,
    check: ReadyCheck = lambda: None,
    metrics: CollectorRegistry | None = None,
    lives: ReadyCheck = lambda: None,
) -> httpx.Response:
    service = Starlette(routes=routes(check, metrics or CollectorRegistry(), lives=lives))

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(service), base_url="http://service") as client:
            return await client.get(path)

    return asyncio.run(ask())


def _not_ready() -> None:
    raise NotReady("the database does not answer")


def test_ready_when_the_check_is_content() -> None:
    assert _get("/readyz").status_code == 200


def test_not_ready_says_why() -> None:
    answer = _get("/readyz", _not_ready)
    assert (answer.status_code, answer.text) == (503, "the database does not answer\n")


def test_what_is_not_ready_lives() -> None:
    assert _get("/healthz", _not_ready).status_code == 200


def test_what_only_a_new_process_can_mend_is_told_to_whoever_restarts_it() -> None:
    def dead() -> None:
        raise NotReady("a worker has ended")

    answer = _get("/healthz", lives=dead)
    assert (answer.status_code, answer.text) == (503, "a worker has ended\n")


def test_metrics_are_of_the_given_registry() -> None:
    metrics = CollectorRegistry()
    Counter("freehold_tested", "Of this test.", registry=metrics).inc(3)
    answer = _get("/metrics", metrics=metrics)
    assert answer.headers["content-type"].startswith("text/plain")
    assert "freehold_tested_total 3.0" in answer.text


def test_a_database_that_refuses_connections_is_not_ready_and_its_address_stays_here() -> None:
    with socket.socket() as taken:
        # Bound and not listening: connections are refused, and nobody else gets the port meanwhile.
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        url = sa.URL.create("postgresql+psycopg", "someone", "a-password", "127.0.0.1", port, "none")
        with pytest.raises(NotReady) as refused:
            database_answers(sa.create_engine(url))()
    assert str(refused.value) == "the database does not answer"


@pytest.mark.sandbox
def test_a_database_that_answers_is_ready(empty_database: sa.URL) -> None:
    engine = sa.create_engine(empty_database)
    database_answers(engine)()
    engine.dispose()
