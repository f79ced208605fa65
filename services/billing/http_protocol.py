"""uvicorn's faster HTTP protocol, with the limit that its slower one has: what comes before a body is bounded.

And with one that neither has: a request comes in time.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_LIMIT_BYTES = 16 * 1024

RECEIVE_SECONDS = 30.0
"""From the first byte of a request to its last. Whoever sends slower, or nothing, would hold the connection for ever,
and a process can have so many."""


class BoundedHeads(HttpToolsProtocol):
    """The parser keeps headers, trailers and the like until they are whole. A body is the application's to bound."""

    _unparsed = 0
    """Bytes since a part of a request was last complete, counted by what came at once."""
    _late: asyncio.TimerHandle | None = None
    """Runs while a request is waited for, but between two of them: that is uvicorn's to bound."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        self._await()

    def connection_lost(self, exc: Exception | None) -> None:
        self._has_come()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        # Whatever comes ends uvicorn's own limit, also what begins no request.
        self._await()
        self._unparsed += len(data)
        super().data_received(data)
        if self._unparsed > HEAD_LIMIT_BYTES and not self.transport.is_closing():
            self.send_400_response("The request's headers are too large.")

    def on_message_begin(self) -> None:
        self._await()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._unparsed = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unparsed = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unparsed = 0
        super().on_message_complete()
        # Of one that was answered before its end nobody else waits for the next.
        if not self.cycle.response_complete:
            self._has_come()

    def _await(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(RECEIVE_SECONDS, self.transport.close)

    def _has_come(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
