"""The webhook in this process with all its calls in one event loop, as a process has it; and who stored what."""

from __future__ import annotations

import asyncio
import json
import socket
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import sqlalchemy as sa
import uvloop

from sandbox.stripe_events import body_and_headers, event
from services.billing.event import parse
from services.billing.inbox import Conclusion
from services.billing.loop_statement import LoopStatement
from services.billing.settlement import arrival
from tests import plain_http
from tests.services.billing.bench import SECRET, Books, Inside, Server

PATIENCE = 20.0
Result = TypeVar("Result")


def alone(name: str, **content: object) -> dict[str, object]:
    """An event of a type that nothing depends on."""
    return event("radar.early_fraud_warning.created", content, id=f"evt_{name}", created=1)


WARM = alone("warm")
FIVE = [alone(str(number)) for number in range(5)]
IDS = {str(one["id"]) for one in FIVE}


class OneLoop(Inside):
    def __init__(self, database: sa.URL) -> None:
        super().__init__(database, front=True)
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)  # the process' kind

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self._runner.run(asyncio.wait_for(work, PATIENCE))

    @property
    def statement(self) -> LoopStatement:
        assert self.receiver._front is not None
        found = self.receiver._front._statement
        assert found is not None
        return found

    @property
    def connected(self) -> bool:
        return self.statement._way is not None

    def until(self, holds: Callable[[], bool]) -> None:
        """Returns when it holds; the event loop goes on meanwhile."""
        end = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < end
            self.run(asyncio.sleep(0.005))

    def shrink(self) -> None:
        """Let its connection's socket take little at a time."""
        assert self.statement._way is not None
        with socket.socket(fileno=self.statement._way.socket) as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            one.detach()

    def close(self) -> None:
        super().close()
        self._runner.close()


@contextmanager
def one_loop(database: sa.URL) -> Iterator[OneLoop]:
    """Connected: WARM has been stored, by the thread."""
    webhook = OneLoop(database)
    try:
        webhook.together([WARM])
        webhook.until(lambda: webhook.connected)
        yield webhook
    finally:
        webhook.close()


class Witness:
    """Tells of each event how it was stored, for as long as that is committed. Only the event loop's own connection has
    a prepared statement of that name."""

    def __init__(self, books: Books) -> None:
        self._books = books
        books.execute("CREATE TABLE seen (event text, from_loop boolean, session integer, transaction text)")
        books.execute(
            "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN "
            "INSERT INTO seen SELECT NEW.id, EXISTS (SELECT FROM pg_prepared_statements WHERE name = 'from_loop'), "
            "pg_backend_pid(), pg_current_xact_id()::text; RETURN NEW; END $$"
        )
        books.execute("CREATE TRIGGER see AFTER INSERT ON billing_inbox FOR EACH ROW EXECUTE FUNCTION see()")

    def from_loop(self) -> dict[str, bool]:
        return dict(self._books.rows("SELECT event, from_loop FROM seen"))

    def count(self) -> int:
        """Those from the event loop."""
        return int(self._books.rows("SELECT count(*) FROM seen WHERE from_loop")[0][0])

    def sessions(self) -> dict[str, int]:
        return dict(self._books.rows("SELECT event, session FROM seen"))

    def transactions(self) -> set[frozenset[str]]:
        """The events of each."""
        rows = self._books.rows("SELECT json_agg(event)::text FROM seen GROUP BY transaction")
        return {frozenset(json.loads(row[0])) for row in rows}


def stored_from_loop(server: Server, witness: Witness, secret: str = SECRET) -> None:
    """Returns when an event was: the first ones come before the process' loop has its connection."""
    end = time.monotonic() + PATIENCE
    while True:
        assert time.monotonic() < end, server.log.read_text()
        sent = alone(uuid.uuid4().hex)
        assert plain_http.post(server.url, *body_and_headers(sent, secret)).status_code == 200
        if witness.from_loop()[str(sent["id"])]:
            return
        time.sleep(0.02)


def states(answers: Sequence[Conclusion | BaseException | None]) -> list[object]:
    return [one.state if isinstance(one, Conclusion) else one and type(one) for one in answers]


def stored(books: Books) -> set[str]:
    """Which events are, but for WARM."""
    return set(books.states()) - {"evt_warm"}


async def begun(webhook: OneLoop, *events: dict[str, object]) -> list[asyncio.Task[Conclusion | None]]:
    """They wait for their answers."""
    bodies = [webhook.body(one) for one in events]
    tasks = [
        asyncio.create_task(webhook.receiver.receive(arrival(parse(body), body, livemode=False))) for body in bodies
    ]
    for _ in range(3):  # a turn for them to come, one for what they came in to be handed over
        await asyncio.sleep(0)
    return tasks


@contextmanager
def held(books: Books, name: str) -> Iterator[sa.Connection]:
    """Whoever stores the event waits until the connection's transaction ends."""
    with books.engine.connect() as holder:
        holder.execute(
            sa.text(
                f"INSERT INTO billing_inbox (id, type, livemode, created, payload, state, "
                f"correlation_id) VALUES ('{name}', 'x', false, now(), '', 'ignored', 'x')"
            )
        )
        yield holder
        holder.rollback()
