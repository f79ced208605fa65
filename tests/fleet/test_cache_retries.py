"""How often a cache is tried: a login that was refused is refused again, a way that was lost may be there again."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from redis import exceptions

from cli import live


@contextmanager
def cache(*answers: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server that gives each connection one answer, the last one for ever; its address, and what it was sent."""
    asked: list[bytes] = []

    class Answering(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            asked.append(self.request.recv(4096))
            self.request.sendall(answers[min(len(asked), len(answers)) - 1])

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"redis://reader:secret@127.0.0.1:{server.server_address[1]}", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("redis.retry.sleep", lambda seconds: None)


def test_a_login_that_is_refused_is_tried_once() -> None:
    with cache(b"-WRONGPASS invalid username-password pair or user is disabled.\r\n") as (url, asked):
        with pytest.raises(exceptions.AuthenticationError, match="invalid username-password pair"):
            live._redis({"REDIS_URL": url})
        assert len(asked) == 1


def test_a_connection_that_is_lost_is_tried_again() -> None:
    with cache(b"", b"-WRONGPASS invalid username-password pair or user is disabled.\r\n") as (url, asked):
        with pytest.raises(exceptions.AuthenticationError):
            live._redis({"REDIS_URL": url})
        assert len(asked) == 2
    with cache(b"") as (url, asked):
        with pytest.raises(exceptions.ConnectionError):
            live._redis({"REDIS_URL": url})
        assert len(asked) == 4
