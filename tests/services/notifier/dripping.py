"""A server that answers byte by byte, so that no limit on the wait for a part of the answer is ever passed."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_PAUSE_SECONDS = 0.02
_BYTES = 1000


@contextmanager
def dripping(byte: bytes, begin: bytes = b"") -> Iterator[int]:
    """Its port, for one connection: `begin` at once, then `byte` again and again. Who connects must hang up in between,
    or the end of this fails."""
    hung_up = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                try:
                    connection.sendall(begin)
                    for _ in range(_BYTES):
                        connection.sendall(byte)
                        time.sleep(_PAUSE_SECONDS)
                except OSError:
                    hung_up.set()

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()
    assert hung_up.is_set(), "it was heard to its end"
