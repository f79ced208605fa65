"""POST /webhooks/stripe: 200 says that an event and its effect are durable, 5xx that Stripe shall send it again."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from pydantic_core import to_json
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from services.billing import PATH
from services.billing.event import HANDLED_TYPES, Event, MalformedEvent, parse
from services.billing.inbox import Conclusion
from services.billing.receiver import EffectFailed, Receiver, Unavailable
from services.billing.settlement import arrival
from services.billing.signature import SignatureRefused, verify
from services.logs import correlated, logger

BODY_LIMIT_BYTES = 1024 * 1024
"""Stripe's events have some kilobytes, the largest some hundred."""

RETRY_AFTER_SECONDS = 30

_log = logger(__name__)


class _TooLarge(Exception):
    pass


class _Truncated(Exception):
    pass


class _Answer(NamedTuple):
    status: int
    content: dict[str, str]
    headers: Sequence[tuple[bytes, bytes]] = ()

    async def send(self, send: Send) -> None:
        body = to_json(self.content)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *self.headers]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class Metrics:
    """What Prometheus is told."""

    def __init__(self, registry: CollectorRegistry, receiver: Receiver) -> None:
        self.events = Counter(
            "freehold_billing_events",
            "Events by type and by what became of them.",
            ["type", "state"],
            registry=registry,
        )
        self.refused = Counter(
            "freehold_billing_refused", "Deliveries that were not taken, by reason.", ["reason"], registry=registry
        )
        self.seconds = Histogram(
            "freehold_billing_receive_seconds", "From the whole body to the commit.", registry=registry
        )
        self.last = Gauge(
            "freehold_billing_last_event_timestamp_seconds", "When the last event was stored.", registry=registry
        )
        backlog = Gauge("freehold_billing_backlog", "Events that wait for a transaction.", registry=registry)
        backlog.set_function(lambda: receiver.backlog)


class Webhook:
    """The endpoint. `clock` gives seconds since the epoch."""

    def __init__(
        self,
        receiver: Receiver,
        secrets: Sequence[bytes],
        *,
        livemode: bool,
        metrics: Metrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._receiver, self._secrets, self._livemode = receiver, secrets, livemode
        self._metrics, self._clock = metrics, clock

    def take(self, secrets: Sequence[bytes]) -> None:
        """Verify what comes from now on by these."""
        self._secrets = secrets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._answer(scope, receive)
        await answer.send(send)

    async def _answer(self, scope: Scope, receive: Receive) -> _Answer:
        try:
            body = await _body(scope, receive)
            verify(body, _header(scope, b"stripe-signature"), self._secrets, self._clock())
            event = parse(body)
        except _TooLarge:
            return self._refuse(413, "too-large", f"the body is larger than {BODY_LIMIT_BYTES} bytes")
        except _Truncated:
            return self._refuse(400, "truncated", "the body ended before its time")
        except SignatureRefused as error:
            return self._refuse(400, "signature", str(error))
        except MalformedEvent as error:
            return self._refuse(400, "malformed", f"not an event: {error}")
        return await self._receive(event, body)

    async def _receive(self, event: Event, body: bytes) -> _Answer:
        try:
            with self._metrics.seconds.time():
                conclusion = await self._receiver.receive(arrival(event, body, livemode=self._livemode))
        except Unavailable as error:
            text = "the event could not be stored; send it again"
            return self._refuse(503, "unavailable", text, str(error), event.id)
        except EffectFailed as error:
            text = "the event is stored, its effect failed; send it again"
            return self._refuse(500, "effect", text, str(error), event.id)
        except Exception as error:
            return self._refuse(500, "error", "send it again", type(error).__name__, event.id)
        self._count(event, conclusion)
        return _Answer(200, {"event": event.id, "state": conclusion.state if conclusion else "duplicate"})

    def _count(self, event: Event, conclusion: Conclusion | None) -> None:
        state = conclusion.state.value if conclusion else "duplicate"
        # Types are many and Stripe's to invent: those without meaning here are one.
        kind = event.type if event.type in HANDLED_TYPES else "other"
        self._metrics.events.labels(kind, state).inc()
        if conclusion is not None:
            self._metrics.last.set(self._clock())
        if conclusion is None or conclusion.state in ("applied", "unmatched"):
            tenant, reason = (conclusion.tenant, conclusion.reason) if conclusion else (None, None)
            log = _log.warning if state == "unmatched" else _log.info
            with correlated(event.id):
                log("event", type=kind, state=state, tenant=tenant, reason=reason)

    def _refuse(self, status: int, reason: str, text: str, detail: str = "", event: str | None = None) -> _Answer:
        """Answer with one line; `detail` is for the log alone, `event` is the id of one that could be read."""
        self._metrics.refused.labels(reason).inc()
        with correlated(event) if event else nullcontext():
            _log.warning("refused", status=status, refused=reason, detail=detail or text)
        headers = []
        if status == 503:
            headers = [(b"retry-after", b"%d" % RETRY_AFTER_SECONDS)]
        if status == 413:
            headers = [(b"connection", b"close")]  # the rest of the body is not read
        return _Answer(status, {"error": text}, headers)


class Application:
    """The endpoint and `routes`; `stop` is called when the server has answered its last request."""

    def __init__(
        self, webhook: Webhook, routes: Sequence[BaseRoute] = (), *, stop: Callable[[], None] | None = None
    ) -> None:
        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            yield
            if stop is not None:
                stop()

        self._webhook = webhook
        self._routed = Starlette(routes=[Route(PATH, webhook, methods=["POST"]), *routes], lifespan=lifespan)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Straight to the endpoint: Starlette's way there costs as much as what the endpoint itself does.
        straight = scope["type"] == "http" and scope["method"] == "POST" and scope["path"] == PATH
        await (self._webhook if straight else self._routed)(scope, receive, send)


def _header(scope: Scope, name: bytes) -> str | None:
    """The first of that name, in small letters."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)


async def _body(scope: Scope, receive: Receive) -> bytes:
    """Raises _TooLarge before more than the limit has been read, _Truncated."""
    stated = _header(scope, b"content-length") or "0"
    if stated.isdecimal() and int(stated) > BODY_LIMIT_BYTES:
        raise _TooLarge
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Truncated
        part, more = message.get("body", b""), message.get("more_body", False)
        size += len(part)
        if size > BODY_LIMIT_BYTES:
            raise _TooLarge
        parts.append(part)
    return b"".join(parts)
