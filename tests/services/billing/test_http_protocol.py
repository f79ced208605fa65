"""What comes before, between and after bodies is bounded too."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from sandbox.stripe_events import body_and_headers
from services.billing import PATH
from services.billing.http_protocol import HEAD_LIMIT_BYTES
from tests.services.billing import bench
from tests.services.billing.bench import SECRET, Books
from tests.services.billing.test_effects import CREATED

pytestmark = pytest.mark.sandbox

START = f"POST {PATH} HTTP/1.1\r\nHost: webhook\r\n".encode()
ENDLESS = {
    "a request line": (b"GET /", b"a" * 1024),
    "headers": (START, b"X-Some: thing\r\n" * 64),
    "one header": (START + b"X-Some: ", b"a" * 1024),
    "trailers": (START + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n", b"X-Some: thing\r\n" * 64),
    "a chunk's extension": (START + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a" * 1024),
}


def test_what_has_no_end_is_cut_off_and_the_others_are_served(own_login: sa.URL, books: Books, tmp_path: Path) -> None:
    with bench.server(own_login, tmp_path) as server:
        for name, (start, more) in ENDLESS.items():
            with (
                socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection,
                pytest.raises(ConnectionError),
            ):
                connection.sendall(start)
                for _ in range(64 * 1024):
                    connection.sendall(more)
                pytest.fail(f"{name}: 64 MB were taken")
        assert server.send(CREATED).status_code == 200


def test_many_requests_on_one_connection_are_each_counted_anew(own_login: sa.URL, books: Books, tmp_path: Path) -> None:
    # A body may be longer than headers: it is counted by itself.
    body, headers = body_and_headers({**CREATED, "padding": "a" * 2 * HEAD_LIMIT_BYTES}, SECRET)
    lines = [f"{name}: {value}" for name, value in {**headers, "Content-Length": str(len(body))}.items()]
    request = START + "\r\n".join(lines).encode() + b"\r\nX-Long: " + b"a" * 8_000 + b"\r\n\r\n" + body
    with (
        bench.server(own_login, tmp_path) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection,
    ):
        for _ in range(5):
            # In parts that come by themselves: the headers alone are in the first.
            for start in range(0, len(request), 9_000):
                connection.sendall(request[start : start + 9_000])
                time.sleep(0.01)
            answer = b""
            while not answer.endswith(b"}"):
                part = connection.recv(65_536)
                assert part, "the server hung up"
                answer += part
            assert answer.startswith(b"HTTP/1.1 200 ")
