"""What stands for a supervisor where a test is about what the command makes of its answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import BaseModel

from sandbox.home import Home
from sandbox.supervisor.messages import Answer


@contextmanager
def answering(home: Home, result: BaseModel | None) -> Iterator[threading.Event]:
    """It answers every request with `result`, or never (None). The event says that it has been asked."""
    path = home.socket("supervisor")
    path.parent.mkdir(parents=True, exist_ok=True)
    asked = threading.Event()
    held: list[socket.socket] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return  # closed: it is over
                held.append(connection)
                if not connection.makefile("rb").readline():
                    continue  # only looked whether someone is there
                asked.set()
                if result is not None:
                    answer = Answer(result=result.model_dump(mode="json"))
                    connection.sendall(answer.model_dump_json().encode() + b"\n")

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield asked
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in held:
                connection.close()
