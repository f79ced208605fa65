"""Sends requests that were made beforehand over connections that are kept, for little and constant cost.

It shares the machine with what it measures. So there is no HTTP client and no event loop: one thread, plain sockets,
and of each answer its status and length alone.
"""

from __future__ import annotations

import re
import select
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)
_SILENCE_SECONDS = 60
_RECEIVE_BYTES = 65_536


class BadAnswer(Exception):
    """What came instead of a 200."""


@dataclass
class _Connection:
    socket: socket.socket
    due: float = 0.0
    received: bytes = field(default=b"", repr=False)

    def send(self, request: bytes, due: float) -> None:
        self.due = due
        self.socket.sendall(request)

    def answered(self) -> bool:
        """Take in what has come; whether that completes the answer. Raises BadAnswer."""
        part = self.socket.recv(_RECEIVE_BYTES)
        if not part:
            raise BadAnswer("the server hung up")
        self.received += part
        end = self.received.find(b"\r\n\r\n")
        if end < 0:
            return False
        length = _LENGTH.search(self.received, 0, end + 2)
        if not self.received.startswith(b"HTTP/1.1 200 ") or length is None:
            raise BadAnswer(self.received.decode(errors="replace"))
        if len(self.received) < end + 4 + int(length[1]):
            return False
        self.received = b""
        return True


def send(ports: Sequence[int], requests: Sequence[bytes], connections: int, per_second: float | None) -> list[float]:
    """Seconds that each answer took: as fast as they are answered or, whatever the answers do, at a fixed rate.

    At a fixed rate an answer's time counts from when its request was due: one that is late delays those behind it.
    Raises BadAnswer.
    """
    poll = select.epoll()
    opened: dict[int, _Connection] = {}
    try:
        for number in range(connections):
            made = socket.create_connection(("127.0.0.1", ports[number % len(ports)]), timeout=_SILENCE_SECONDS)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened[made.fileno()] = _Connection(made)
            poll.register(made, select.EPOLLIN)
        return _exchange(poll, opened, iter(requests), per_second)
    finally:
        poll.close()
        for one in opened.values():
            one.socket.close()


def _exchange(
    poll: select.epoll, opened: dict[int, _Connection], requests: Iterator[bytes], per_second: float | None
) -> list[float]:
    taken: list[float] = []
    free = list(opened.values())
    began = time.perf_counter()
    sent, following = 0, next(requests, None)
    while following is not None or len(free) < len(opened):
        now = time.perf_counter()
        while free and following is not None:
            due = now if per_second is None else began + sent / per_second
            if due > now:
                break
            free.pop().send(following, due)
            sent, following = sent + 1, next(requests, None)
        wait = float(_SILENCE_SECONDS)
        if free and following is not None and per_second is not None:
            wait = max(0.0, began + sent / per_second - now)
        ready = poll.poll(wait)
        if not ready and wait == _SILENCE_SECONDS:
            raise BadAnswer("none")
        for descriptor, _ in ready:
            one = opened[descriptor]
            if one.answered():
                taken.append(time.perf_counter() - one.due)
                free.append(one)
    return taken
