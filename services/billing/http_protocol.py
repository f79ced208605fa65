"""uvicorn's faster HTTP protocol, with the limit that its slower one has: what comes before a body is bounded."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_LIMIT_BYTES = 16 * 1024


class BoundedHeads(HttpToolsProtocol):
    """The parser keeps headers, trailers and the like until they are whole. A body is the application's to bound."""

    _unparsed = 0
    """Bytes since a part of a request was last complete, counted by what came at once."""

    def data_received(self, data: bytes) -> None:
        self._unparsed += len(data)
        super().data_received(data)
        if self._unparsed > HEAD_LIMIT_BYTES and not self.transport.is_closing():
            self.send_400_response("The request's headers are too large.")

    def on_headers_complete(self) -> None:
        self._unparsed = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unparsed = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unparsed = 0
        super().on_message_complete()
