"""A server that says what it is given, byte for byte, and hangs up: also what no HTTP server would say."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Answering:
    port: int
    asked: list[str] = field(default_factory=list)
    """The requests so far, as they came."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def head(length: int, kind: str) -> bytes:
    """Of a good answer with a body of that length."""
    lines = ("HTTP/1.1 200 OK", f"Content-Type: {kind}", "Connection: close", f"Content-Length: {length}", "", "")
    return "\r\n".join(lines).encode()


@contextmanager
def answering(answers: Sequence[bytes]) -> Iterator[Answering]:
    """Each on a connection of its own; all must have been asked for in the end."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        made = Answering(server.getsockname()[1])

        def serve() -> None:
            for answer in answers:
                connection, _ = server.accept()
                with connection:
                    made.asked.append(_request(connection))
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield made
        thread.join(10)
    assert not thread.is_alive(), "it was asked less often"


def _request(connection: socket.socket) -> str:
    """The whole of it: where bytes are left unread, hanging up resets the connection, and the answer may be lost."""
    text = b""
    while b"\r\n\r\n" not in text and (more := connection.recv(65536)):
        text += more
    before, _, body = text.partition(b"\r\n\r\n")
    said = re.search(rb"(?mi)^content-length: *(\d+)", before)
    missing = (int(said[1]) if said else 0) - len(body)
    while missing > 0 and (more := connection.recv(65536)):
        text += more
        missing -= len(more)
    return text.decode()
