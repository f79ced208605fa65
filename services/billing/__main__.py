"""`python -m services.billing`: the webhook as a process. SIGTERM lets it answer what it has begun, then ends it."""

from __future__ import annotations

import signal
import sys
import threading

import uvicorn
from prometheus_client import CollectorRegistry

from errors import ExitCode, FreeholdError
from services import health, logs
from services.billing.application import Application
from services.billing.http_protocol import BoundedHeads
from services.billing.running import Running

_DRAIN_SECONDS = 20


def main() -> int:
    # The first process of a container hears no signal that it has not asked for, and starting can take its time.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(ExitCode.OK))
    logs.configure("billing")
    registry = CollectorRegistry()
    try:
        # One connection for the receiver's thread, one for the readiness check; the event loop has its own.
        running = Running(registry, connections=2, one_loop=True)
    except FreeholdError as error:
        print(error.line(), file=sys.stderr)
        return error.exit_code
    ending = threading.Event()
    threading.Thread(target=running.keep_renewing, args=(ending,), name="secrets", daemon=True).start()

    def stop() -> None:
        ending.set()
        running.close()

    routes = health.routes(health.database_answers(running.engine), registry)
    app = Application(running.webhook, routes, stop=stop)
    uvicorn.run(
        app,
        host=running.settings.host,
        port=running.settings.port,
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
