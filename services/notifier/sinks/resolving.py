"""Names of sinks are looked up within a time limit: the system's resolver has none that can be set, and may hang."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import TypeVar, TypeVarTuple

_Answer = TypeVar("_Answer")
_Arguments = TypeVarTuple("_Arguments")


def addresses(host: str, port: int, limit_seconds: float) -> Sequence[str]:
    """Of a host, those to be tried first first. Raises OSError, TimeoutError too."""
    found = _apart(partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)).result(limit_seconds)
    return [str(address[0]) for *_, address in found]


class Loop(asyncio.SelectorEventLoop):
    """An event loop that can be left while it looks up a name: asyncio's own has threads that its end waits for."""

    def run_in_executor(
        self, executor: object, func: Callable[[*_Arguments], _Answer], *args: *_Arguments
    ) -> asyncio.Future[_Answer]:
        return asyncio.wrap_future(_apart(partial(func, *args)), loop=self)


def _apart(ask: Callable[[], _Answer]) -> Future[_Answer]:
    """In a thread that nobody has to wait for: neither who gives it up nor the process' end."""
    told: Future[_Answer] = Future()
    told.set_running_or_notify_cancel()

    def run() -> None:
        try:
            told.set_result(ask())
        except Exception as error:  # whoever waits for it has it
            told.set_exception(error)

    threading.Thread(target=run, name="look-up", daemon=True).start()
    return told
