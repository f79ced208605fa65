"""POST /webhooks/stripe: 200 says that an event and its effect are durable, 5xx that Stripe shall send it again."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from services.billing import PATH
from services.billing.event import HANDLED_TYPES, MalformedEvent, parse
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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._answer(Request(scope, receive))
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        try:
            body = await _body(request)
            verify(body, request.headers.get("Stripe-Signature"), self._secrets, self._clock())
            event = parse(body)
        except _TooLarge:
            return self._refuse(413, "too-large", f"the body is larger than {BODY_LIMIT_BYTES} bytes")
        except ClientDisconnect:
            return self._refuse(400, "truncated", "the body ended before its time")
        except SignatureRefused as error:
            return self._refuse(400, "signature", str(error))
        except MalformedEvent as error:
            return self._refuse(400, "malformed", f"not an event: {error}")
        with correlated(event.id), self._metrics.seconds.time():
            try:
                conclusion = await self._receiver.receive(arrival(event, body, livemode=self._livemode))
            except Unavailable as error:
                return self._refuse(503, "unavailable", "the event could not be stored; send it again", str(error))
            except EffectFailed as error:
                return self._refuse(500, "effect", "the event is stored, its effect failed; send it again", str(error))
            except Exception as error:
                return self._refuse(500, "error", "send it again", f"{type(error).__name__}")
            self._count(event.type, conclusion)
        return JSONResponse({"event": event.id, "state": conclusion.state if conclusion else "duplicate"})

    def _count(self, kind: str, conclusion: Conclusion | None) -> None:
        state = conclusion.state.value if conclusion else "duplicate"
        # Types are many and Stripe's to invent: those without meaning here are one.
        kind = kind if kind in HANDLED_TYPES else "other"
        self._metrics.events.labels(kind, state).inc()
        self._metrics.last.set(self._clock())
        if conclusion is None or conclusion.state in ("applied", "unmatched"):
            tenant, reason = (conclusion.tenant, conclusion.reason) if conclusion else (None, None)
            log = _log.warning if state == "unmatched" else _log.info
            log("event", type=kind, state=state, tenant=tenant, reason=reason)

    def _refuse(self, status: int, reason: str, text: str, detail: str = "") -> Response:
        """Answer with one line; `detail` is for the log alone."""
        self._metrics.refused.labels(reason).inc()
        _log.warning("refused", status=status, refused=reason, detail=detail or text)
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status == 503 else {}
        if status == 413:
            headers["Connection"] = "close"  # the rest of the body is not read
        return JSONResponse({"error": text}, status_code=status, headers=headers)


def application(
    webhook: Webhook, routes: Sequence[BaseRoute] = (), *, stop: Callable[[], None] | None = None
) -> Starlette:
    """The endpoint and `routes`; `stop` is called when the server has answered its last request."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        if stop is not None:
            stop()

    return Starlette(routes=[Route(PATH, webhook, methods=["POST"]), *routes], lifespan=lifespan)


async def _body(request: Request) -> bytes:
    """Raises _TooLarge before more than the limit has been read."""
    stated = request.headers.get("Content-Length", "0")
    if stated.isdecimal() and int(stated) > BODY_LIMIT_BYTES:
        raise _TooLarge
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > BODY_LIMIT_BYTES:
            raise _TooLarge
        parts.append(part)
    return b"".join(parts)
