"""What the webhook's tests work on: a control database with a tenant, and the webhook, in this process or its own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import sqlalchemy as sa
from prometheus_client import CollectorRegistry

from catalog import blueprints
from fleet import migrations
from fleet.registry import Registry, Suspension, Wanted
from sandbox.home import CHECKOUT
from sandbox.stripe_events import body_and_headers
from services.billing import PATH, settings
from services.billing.application import Application, Metrics, Webhook
from services.billing.event import parse
from services.billing.inbox import Conclusion
from services.billing.receiver import Receiver
from services.billing.settlement import arrival, settle
from tests import plain_http
from tests.free_port import free_port

SECRET = "whsec_0123456789abcdef"
PRODUCT = blueprints.load("chronos-cloud")
_START_SECONDS = 60
Result = TypeVar("Result")


def wanted(tenant: str, plan: str = "starter") -> Wanted:
    """What a tenant of that plan shall be."""
    chosen = PRODUCT.plan(plan)
    return Wanted(
        id=tenant,
        product=PRODUCT.name,
        name=tenant,
        subdomain=tenant,
        admin_email=None,
        plan=chosen.name,
        tier=chosen.tier,
        cell="sandbox",
        region="us-east-1",
        limits=chosen.quota.model_dump(mode="json"),
    )


class Books:
    """The control database, as a test looks at it."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine, self.registry = engine, Registry(engine)

    def rows(self, statement: str) -> Sequence[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(statement))]

    def execute(self, statement: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.text(statement))

    def empty(self, *tables: str) -> None:
        """In order of their references. By DELETE: TRUNCATE makes new files for each table and each index."""
        with self.engine.begin() as connection:
            for table in tables:
                connection.execute(sa.text(f"DELETE FROM {table}"))

    def plan(self, tenant: str = "acme") -> str:
        found = self.registry.get(tenant)
        assert found is not None
        return found.plan

    def suspended_for(self, tenant: str = "acme") -> Suspension | None:
        found = self.registry.get(tenant)
        assert found is not None
        return found.suspended_for

    def operations(self) -> Sequence[tuple[Any, ...]]:
        """Tenant, kind, requester and correlation id of each, in the order of asking."""
        return self.rows("SELECT tenant, kind, requester, correlation_id FROM operations ORDER BY number")

    def states(self) -> Mapping[str, str]:
        """What became of each event."""
        return dict(self.rows("SELECT id, state FROM billing_inbox"))

    def reason(self, event: str) -> str:
        return str(dict(self.rows("SELECT id, reason FROM billing_inbox"))[event])


@contextmanager
def books(database: sa.URL) -> Iterator[Books]:
    """With the schema, and the tenant acme on plan starter."""
    engine = sa.create_engine(database)
    with engine.begin() as connection:
        migrations.upgrade(connection)
    kept = Books(engine)
    kept.registry.add(wanted("acme"))
    yield kept
    engine.dispose()


def environment(database: sa.URL, port: int = 8080) -> dict[str, str]:
    return {
        "STRIPE_WEBHOOK_SECRET": SECRET,
        "DATABASE_URL": database.render_as_string(hide_password=False),
        "FREEHOLD_PRODUCT": PRODUCT.name,
        "STRIPE_LIVEMODE": "false",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "PATH": os.defpath,
        "PYTHONPATH": str(CHECKOUT),
    }


def post(app: Application, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://webhook") as client:
            return await client.post(PATH, content=body, headers=dict(headers))

    return asyncio.run(send())


class Inside:
    """The webhook in this process."""

    def __init__(self, database: sa.URL, *, settle: Any = settle, front: bool = False) -> None:
        told = settings.read(environment(database), str)
        self.engine = told.engine(connections=2)
        front_engine = told.engine(connections=1) if front else None
        self.receiver = Receiver(self.engine, told.blueprint, front_engine=front_engine, settle=settle)
        self.metrics = CollectorRegistry()
        webhook = Webhook(
            self.receiver, told.secrets, livemode=told.livemode, metrics=Metrics(self.metrics, self.receiver)
        )
        self.app = Application(webhook)

    def post(self, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        return post(self.app, body, headers)

    def send(self, event: Mapping[str, Any], secret: str = SECRET) -> httpx.Response:
        return self.post(*body_and_headers(event, secret))

    def together(self, events: Sequence[Mapping[str, Any]]) -> Sequence[Conclusion | BaseException | None]:
        """What the receiver makes of them where they come at once: they are one batch."""

        async def receive() -> list[Conclusion | BaseException | None]:
            bodies = [self.body(one) for one in events]
            arrivals = [arrival(parse(body), body, livemode=False) for body in bodies]
            return await asyncio.gather(*(self.receiver.receive(one) for one in arrivals), return_exceptions=True)

        return self.run(receive())

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """In an event loop of its own."""
        return asyncio.run(work)

    def body(self, event: Mapping[str, Any]) -> bytes:
        return body_and_headers(event, SECRET)[0]

    def state(self, event: Mapping[str, Any]) -> str:
        """What the webhook answers a delivery that it takes."""
        answer = self.send(event)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["state"])

    def counted(self, kind: str, state: str) -> float:
        return self.metrics.get_sample_value("freehold_billing_events_total", {"type": kind, "state": state}) or 0.0

    def close(self) -> None:
        self.receiver.close()
        self.engine.dispose()


@contextmanager
def inside(database: sa.URL, **changes: Any) -> Iterator[Inside]:
    webhook = Inside(database, **changes)
    yield webhook
    webhook.close()


@dataclass
class Server:
    """The webhook as a process of its own."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PATH}"

    def send(self, event: Mapping[str, Any]) -> httpx.Response:
        body, headers = body_and_headers(event, SECRET)
        return plain_http.post(self.url, body, headers)

    def ready(self) -> None:
        """Returns when it serves."""
        until = time.monotonic() + _START_SECONDS
        while True:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < until, self.log.read_text()
            try:
                if plain_http.get(f"http://127.0.0.1:{self.port}/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.05)


@contextmanager
def server(
    database: sa.URL, folder: Path, module: str = "services.billing", *arguments: str, **variables: str
) -> Iterator[Server]:
    """Started and serving; ended with SIGTERM, which it must obey."""
    port = free_port()
    log = folder / f"{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=folder,
            env=environment(database, port) | variables,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    running = Server(process, port, log)
    try:
        running.ready()
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def a_thousand(servers: Sequence[Server], body: bytes, headers: Mapping[str, str]) -> Counter[str]:
    """What 1,000 deliveries of one event, by 40 senders at once, are answered."""

    def burst(index: int) -> list[str]:
        url = servers[index % len(servers)].url
        with plain_http.client(timeout=60) as client:
            answers = [client.post(url, content=body, headers=headers) for _ in range(25)]
        assert {answer.status_code for answer in answers} == {200}
        return [str(answer.json()["state"]) for answer in answers]

    with ThreadPoolExecutor(40) as pool:
        return Counter(state for states in pool.map(burst, range(40)) for state in states)
