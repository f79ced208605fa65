"""The webhook as a Lambda function: events of a function URL or of an HTTP API (payload format 2.0)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from mangum import Mangum
from prometheus_client import CollectorRegistry

from errors import FreeholdError
from services import logs
from services.billing import settings
from services.billing.application import Application, Metrics, Webhook
from services.billing.receiver import Receiver

_KEPT_SECONDS = 300
"""Then the secrets are read anew: Lambda keeps a process for hours, and a secret that is rolled has to reach it. It is
also sooner than AWS' network forgets a connection over which nothing was sent (350 seconds)."""

_KEPT_LONGER_SECONDS = 60
"""Where they cannot be read: those that are known go on serving, and are read again after this."""

_log = logs.logger(__name__)


class _Service(NamedTuple):
    until: float
    adapter: Mangum
    close: Callable[[], None]


_service: _Service | None = None


def _start() -> _Service:
    logs.configure("billing")
    told = settings.read(os.environ, settings.read_aws_secret)
    # Lambda gives a process one request at a time.
    engine = told.engine(connections=1)
    receiver = Receiver(engine, told.blueprint)
    metrics = Metrics(CollectorRegistry(), receiver)

    def close() -> None:
        receiver.close()
        engine.dispose()

    # The address is public: only the webhook is served, neither health nor metrics.
    app = Application(Webhook(receiver, told.secrets, livemode=told.livemode, metrics=metrics))
    return _Service(time.time() + _KEPT_SECONDS, Mangum(app, lifespan="off"), close)


def stop() -> None:
    """What the next call needs is made anew."""
    global _service
    if _service is not None:
        _service.close()
        _service = None


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """What Lambda calls. A failure to start is the invocation's: Lambda answers 502, and Stripe sends again."""
    global _service
    # By the clock of the day: Lambda stops a process between calls.
    if _service is None:
        _service = _start()
    elif time.time() >= _service.until:
        _service = _renewed(_service)
    return _service.adapter(event, context)


def _renewed(service: _Service) -> _Service:
    """With the secrets as they are by now; the same as before where they cannot be read, whatever it is."""
    try:
        new = _start()
    except Exception as error:
        # The error's text alone: it tells where, and quotes no secret.
        told = error.line() if isinstance(error, FreeholdError) else type(error).__name__
        _log.warning("secrets-not-read", detail=told)
        return service._replace(until=time.time() + _KEPT_LONGER_SECONDS)
    service.close()
    return new
