"""`python -m services.billing`: the webhook as a process. SIGTERM lets it answer what it has begun, then ends it."""

from __future__ import annotations

import os
import signal
import sys

import uvicorn
from prometheus_client import CollectorRegistry

from errors import ExitCode, FreeholdError
from services import health, logs
from services.billing import settings
from services.billing.application import Application, Metrics, Webhook
from services.billing.http_protocol import BoundedHeads
from services.billing.receiver import Receiver

_DRAIN_SECONDS = 20


def main() -> int:
    # The first process of a container hears no signal that it has not asked for, and starting can take its time.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(ExitCode.OK))
    try:
        told = settings.read(os.environ, settings.read_aws_secret)
    except FreeholdError as error:
        print(error.line(), file=sys.stderr)
        return error.exit_code
    logs.configure("billing")
    # One for the receiver, one for the readiness check.
    engine = told.engine(connections=2)
    receiver = Receiver(engine, told.blueprint)
    registry = CollectorRegistry()
    webhook = Webhook(receiver, told.secrets, livemode=told.livemode, metrics=Metrics(registry, receiver))

    def stop() -> None:
        receiver.close()
        engine.dispose()

    app = Application(webhook, health.routes(health.database_answers(engine), registry), stop=stop)
    uvicorn.run(
        app,
        host=told.host,
        port=told.port,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        http=BoundedHeads,
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
