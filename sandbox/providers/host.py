"""The warm provider host: one process that serves every stand-in to every engine of one sandbox.

Starting Python, gRPC, botocore and the rest once instead of once per provider and run is what makes an
unchanged stack fast. Each engine's plugin script (`sandbox.providers.plugin`) asks over a Unix socket and
gets the port of a gRPC server of its own, with its own provider instance, for as long as it stays connected.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import selectors
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc

from errors import FreeholdError
from sandbox import plugin_line
from sandbox.home import Home
from sandbox.providers.creations import Creations
from sandbox.providers.interface import ProviderError
from sandbox.providers.registry import CLASSES, provider_class
from sandbox.providers.servicer import Servicer, serve

log = logging.getLogger(__name__)

# The engine runs 4 operations per processor at once unless told otherwise; waiting ones each hold a thread.
_THREADS = 128
_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.so_reuseport", 0),
)


class Host:
    """Accepts plugins on `home.socket("providers")` until it is told to end."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.path = home.socket("providers")
        self._creations = Creations(home)
        self._listener: socket.socket | None = None
        self._stopping = threading.Event()
        self._connections: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    def preload(self) -> None:
        """Import every stand-in now, so that no engine waits for it (and no two threads import at once)."""
        for name in CLASSES:
            try:
                provider_class(name)
            except Exception:  # one broken stand-in must not take the others down; asking for it tells why
                log.exception("the %s stand-in cannot be loaded", name)

    def listen(self) -> None:
        """Take the socket. Raises FreeholdError where another host answers on it."""
        self.path = self.home.place_for_socket("providers")
        if _answers(self.path):
            raise FreeholdError("another provider host is running", where=str(self.path), mend="stop that one first")
        self.path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self.path))
        self.path.chmod(0o600)
        self._listener.listen(64)

    def run(self, ready: Callable[[], None]) -> None:
        """Serve until SIGTERM or SIGINT; `ready` is called once both are listened for. For the main thread.

        The kernel may give a signal to any thread. Python's handlers wait for the main one, which would sleep in
        accept and never hear of it: so the signal's own descriptor is waited for together with the socket.
        """
        assert self._listener is not None
        self._listener.setblocking(False)
        heard, told = socket.socketpair()
        with heard, told, selectors.DefaultSelector() as selector:
            told.setblocking(False)
            before = signal.set_wakeup_fd(told.fileno())
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: self._stopping.set())
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(heard, selectors.EVENT_READ)
            ready()
            try:
                while not self._stopping.is_set():
                    waiting = [key.fileobj for key, _ in selector.select()]
                    if self._listener in waiting:
                        self._accept(self._listener)
                    if heard in waiting:
                        heard.recv(64)
            finally:
                signal.set_wakeup_fd(before)
        self.stop()

    def _accept(self, listener: socket.socket) -> None:
        try:
            connection, _ = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # it went away again
        connection.setblocking(True)
        thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
        with self._lock:
            self._connections.add(connection)
            self._threads = [other for other in self._threads if other.is_alive()] + [thread]
        thread.start()

    def stop(self) -> None:
        """Close every connection; instances finish the calls in hand."""
        self._stopping.set()
        if self._listener is not None:
            self.path.unlink(missing_ok=True)
            self._listener.close()
        with self._lock:
            connections, threads = list(self._connections), list(self._threads)
        for connection in connections:
            _hang_up(connection)
        deadline = time.monotonic() + 10
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._creations.close()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rwb") as lines:
                try:
                    if (request := plugin_line.read(lines)) is None:
                        return
                    servicer = self._instance(request)
                except Exception as error:
                    log.exception("refused a plugin")
                    reason = str(error) if isinstance(error, ProviderError) else f"{type(error).__name__}: {error}"
                    lines.write(f"error {' '.join(reason.split())}\n".encode())
                    return
                self._attend(servicer, connection)
        except OSError as error:
            log.info("a plugin went away: %s", error)
        finally:
            with self._lock:
                self._connections.discard(connection)

    def _instance(self, request: Sequence[Any]) -> Servicer:
        """`request` as `sandbox.providers.plugin` makes it."""
        name, version, directory, variables = request
        provider = provider_class(name)()
        if provider.version != version:
            raise ProviderError(f"the {name} SDK is {provider.version} now and the plugin was installed for {version}")
        environment = {"PWD": directory, **plugin_line.environment(variables)}
        return Servicer(provider, environment, self._creations)

    def _attend(self, servicer: Servicer, connection: socket.socket) -> None:
        """Serve until the plugin's end of the connection closes."""
        pool = ThreadPoolExecutor(_THREADS, thread_name_prefix=servicer.provider.name)
        server = grpc.server(pool, options=_OPTIONS)
        port = serve(servicer, server)
        server.start()
        try:
            connection.sendall(f"port {port}\n".encode())
            while connection.recv(4096):
                pass
        finally:
            # The engine is gone. What is being created is finished and journaled; what waits gives up.
            servicer.provider.cancel()
            server.stop(grace=None).wait()
            pool.shutdown(wait=True)
            servicer.close()


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        log.debug("a plugin had gone already")


def main(arguments: list[str] | None = None) -> int:
    """`python -m sandbox.providers.host --home PATH`: prints one line once it is ready."""
    parser = argparse.ArgumentParser(
        prog="sandbox.providers.host", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("--home", type=Path, required=True, help="FREEHOLD_HOME of the sandbox to serve")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    began = time.perf_counter()
    try:
        host = Host(Home(options.home.expanduser().resolve()))
        host.preload()
        gc.freeze()  # what is imported stays; collections need not look at it again
        host.listen()
    except FreeholdError as error:
        print(error.line(), file=sys.stderr)
        return int(error.exit_code)

    def ready() -> None:
        print(f"ready in {time.perf_counter() - began:.2f} s at {host.path} (process {os.getpid()})", flush=True)

    host.run(ready)
    return 0


if __name__ == "__main__":
    sys.exit(main())
