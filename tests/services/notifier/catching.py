"""Sinks of the tests: HTTP servers on the loopback that answer, refuse, hang and break off as told."""

from __future__ import annotations

import http.server
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Caught:
    path: str
    headers: Mapping[str, str]
    body: bytes


Answer = int | str | tuple[int, Mapping[str, str]] | Callable[[], int]
"""A status (with headers), or `hang`, `drip`, `reset`; a function is called when the request is there."""


@dataclass
class Catcher:
    """Answers connections as `answers` say, one after the other, and with 200 from then on."""

    port: int = 0
    answers: list[Answer] = field(default_factory=list)
    caught: list[Caught] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    """Set at the end: what hangs may go."""
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/alerts"


@contextmanager
def catcher(*answers: Answer) -> Iterator[Catcher]:
    state = Catcher(answers=list(answers))

    # By connection, in the order in which they came: of a caller that gave up before it was read, too.
    given: dict[object, Answer] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.caught.append(Caught(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            answer = given.pop(self.client_address)
            state.arrived.release()
            if callable(answer):
                answer = answer()
            headers: Mapping[str, str] = {}
            if isinstance(answer, tuple):
                answer, headers = answer
            if answer == "hang":
                state.released.wait()
                self.close_connection = True
            elif answer == "drip":
                self._drip()
            elif answer == "reset":
                # https://man7.org/linux/man-pages/man7/socket.7.html: SO_LINGER of 0 closes with a reset
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
            elif isinstance(answer, int):
                self.send_response(answer)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def _drip(self) -> None:
            """A header that never ends."""
            try:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                while not state.released.wait(0.02):
                    self.wfile.write(b"a")
            except OSError:
                pass
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def process_request(self, request: Any, client_address: Any) -> None:
            given[client_address] = state.answers.pop(0) if state.answers else 200
            super().process_request(request, client_address)

        def handle_error(self, request: object, client_address: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield state
    finally:
        state.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def refusing_port() -> Iterator[int]:
    """A port where connections are refused: bound, not listening, so that nobody else gets it meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield int(taken.getsockname()[1])
