"""The webhook as a Lambda function: events of a function URL or of an HTTP API (payload format 2.0)."""

from __future__ import annotations

from typing import Any, NamedTuple

from mangum import Mangum
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp, Receive, Scope, Send

from services import logs
from services.billing import PATH
from services.billing.application import Application
from services.billing.running import Running


class _Service(NamedTuple):
    running: Running
    adapter: Mangum


_service: _Service | None = None


class BelowStage:
    """Serves `app` at every stage of an HTTP API: the path that its events tell begins with the stage's name, but for
    the stage $default, the only one that a function URL has.

    (Mangum's `api_gateway_base_path` is one that has to be known before.)
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stage = scope["aws.event"]["requestContext"].get("stage")
        if scope["path"] == f"/{stage}{PATH}":
            scope = {**scope, "path": PATH}
        await self._app(scope, receive, send)


def _start() -> _Service:
    logs.configure("billing")
    # Lambda gives a process one request at a time.
    running = Running(CollectorRegistry(), connections=1)
    # The address is public: only the webhook is served, neither health nor metrics.
    app = Application(running.webhook)
    return _Service(running, Mangum(BelowStage(app), lifespan="off"))


def stop() -> None:
    """What the next call needs is made anew."""
    global _service
    if _service is not None:
        _service.running.close()
        _service = None


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """What Lambda calls. A failure to start is the invocation's: Lambda answers 502, and Stripe sends again."""
    global _service
    if _service is None:
        _service = _start()
    # Not by a thread: Lambda stops them all between calls.
    _service.running.renew()
    return _service.adapter(event, context)
