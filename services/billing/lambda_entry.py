"""The webhook as a Lambda function: events of a function URL or of an HTTP API (payload format 2.0)."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from mangum import Mangum
from prometheus_client import CollectorRegistry

from services import logs
from services.billing import settings
from services.billing.application import Application, Metrics, Webhook
from services.billing.receiver import Receiver


@cache
def _adapter() -> Mangum:
    """Made at the first call, and kept for as long as Lambda keeps the process."""
    logs.configure("billing")
    told = settings.read(os.environ, settings.read_aws_secret)
    # Lambda gives a process one request at a time.
    receiver = Receiver(told.engine(connections=1), told.blueprint)
    metrics = Metrics(CollectorRegistry(), receiver)
    # The address is public: only the webhook is served, neither health nor metrics.
    app = Application(Webhook(receiver, told.secrets, livemode=told.livemode, metrics=metrics))
    return Mangum(app, lifespan="off")


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """What Lambda calls. A failure to start is the invocation's: Lambda answers 502, and Stripe sends again."""
    return _adapter()(event, context)
