"""A request that does not come to its end in time is cut off: it would hold a connection for as long as it likes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from services.billing import http_protocol
from services.billing.http_protocol import BoundedHeads

LIMIT, PATIENCE = 0.3, 5.0
WHOLE = b"POST / HTTP/1.1\r\nHost: webhook\r\nContent-Length: 2\r\n\r\n{}"
ANSWERED_AT_ONCE = b"POST /early HTTP/1.1\r\nHost: webhook\r\nContent-Length: 2\r\n\r\n{"


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] != "/early":
        while (await receive()).get("more_body", False):
            pass
    if scope["path"] == "/slow":
        await asyncio.sleep(2 * LIMIT)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    # Whoever waits between two requests is uvicorn's to bound: here it never would.
    config = uvicorn.Config(answer, log_config=None, lifespan="off", timeout_keep_alive=3600)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: BoundedHeads(config, ServerState(), {}), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    yield reader, writer
    writer.close()
    server.close()


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [b"POST / HT"],
        [WHOLE[:-1]],
        [WHOLE, b"\r\n"],
        [WHOLE, WHOLE[:-1]],
        [WHOLE + WHOLE[:-1]],
        [ANSWERED_AT_ONCE, b"}"],
    ],
)
def test_what_comes_late_is_cut_off(monkeypatch: pytest.MonkeyPatch, parts: list[bytes]) -> None:
    monkeypatch.setattr(http_protocol, "RECEIVE_SECONDS", LIMIT)

    async def send() -> None:
        async with connected() as (reader, writer):
            for number, part in enumerate(parts):
                if number:
                    await asyncio.wait_for(reader.readuntil(b"ok"), PATIENCE)
                writer.write(part)
            await asyncio.wait_for(reader.read(), PATIENCE)

    asyncio.run(send())


def test_an_answer_may_take_longer_and_others_follow_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "RECEIVE_SECONDS", LIMIT)

    async def send() -> None:
        async with connected() as (reader, writer):
            for request in (WHOLE.replace(b"/ ", b"/slow ", 1), WHOLE):
                writer.write(request)
                assert (await asyncio.wait_for(reader.readuntil(b"ok"), PATIENCE)).startswith(b"HTTP/1.1 200 ")

    asyncio.run(send())
