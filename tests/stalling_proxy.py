"""A way to a server that goes nowhere from one moment on: connections stay open, and nothing passes any more."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class StallingProxy:
    """Listens on the loopback, and passes on what comes to a server and back until it is told to stall."""

    def __init__(self, listening: socket.socket, host: str, port: int) -> None:
        self._listening, self._server = listening, (host, port)
        self._passes, self._over = threading.Event(), threading.Event()
        self._passes.set()
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self._start(self._accept)

    @property
    def port(self) -> int:
        return int(self._listening.getsockname()[1])

    def stall(self) -> None:
        """What is sent from now on is taken, and arrives nowhere."""
        self._passes.clear()

    def close(self) -> None:
        """Break off all connections."""
        self._over.set()
        self._passes.set()
        for one in (self._listening, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for one in (self._listening, *self._open):
            one.close()

    def _start(self, work: Callable[..., None], *arguments: socket.socket) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.create_connection(self._server)
            self._open += [client, server]
            self._start(self._pass_on, client, server)

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        other = {client: server, server: client}
        with contextlib.suppress(OSError):
            while True:
                for one in select.select(list(other), [], [])[0]:
                    content = one.recv(65536)
                    if not content:
                        return
                    self._passes.wait()
                    if self._over.is_set():
                        return
                    other[one].sendall(content)


@contextmanager
def stalling_proxy(host: str, port: int) -> Iterator[StallingProxy]:
    """In front of that server; closed at the end."""
    proxy = StallingProxy(socket.create_server(("127.0.0.1", 0)), host, port)
    try:
        yield proxy
    finally:
        proxy.close()
