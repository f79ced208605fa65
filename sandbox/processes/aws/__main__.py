"""`python -m sandbox.processes.aws --home PATH --port N`: moto with a journal, on the loopback."""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path

from errors import FreeholdError
from sandbox.files import damaged, write_atomically
from sandbox.home import Home
from sandbox.processes.aws import determinism, service_models


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    # Components attach policies of AWS' own.
    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
    determinism.install()
    service_models.read_once()
    try:
        _serve(Home(arguments.home), arguments.port)
    except FreeholdError as error:
        print(error.line(), file=sys.stderr)
        return 1
    return 0


def _serve(home: Home, port: int) -> None:
    gc.disable()  # an import leaves no garbage, and a collection would look at all that was imported so far
    # After `determinism.install`: moto binds the clock by name when it is imported.
    from moto.moto_server.werkzeug_app import MotoRequestHandler
    from werkzeug.serving import make_server

    from sandbox.processes.aws import decisions
    from sandbox.processes.aws.application import JournaledApplication
    from sandbox.processes.aws.deliveries import Deliveries
    from sandbox.processes.aws.journal import Journal
    from sandbox.processes.aws.notifications import Notifications
    from sandbox.processes.aws.operator import ensure_operator
    from sandbox.processes.aws.servers import Servers
    from sandbox.processes.aws.services import dispatcher

    gc.freeze()
    gc.enable()

    class Handler(MotoRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_request(self, code: object = "-", size: object = "-") -> None:
            """The journal is the log: a line here would only repeat presigned URLs."""

    data = home.data / "aws"
    seed, moment = _birth(data / "birth.json")
    determinism.make_backends_deterministic(seed, moment)
    deliveries = Deliveries()
    deliveries.install()
    notifications = Notifications(data / "sns-signing-key.pem")
    notifications.install()
    servers = Servers(home)
    journal = Journal(data / "journal.jsonl")
    application = JournaledApplication(dispatcher(seed, moment), journal, notifications.files(), servers.end)
    started = time.monotonic()
    count = application.replay()
    logging.info("replayed %d requests in %.2f s", count, time.monotonic() - started)
    servers.end_left_behind(decisions.without_record())
    ensure_operator(application, home.credentials / "aws.json", f"127.0.0.1:{port}")
    deliveries.begin()
    server = make_server("127.0.0.1", port, application, threaded=True, request_handler=Handler)
    # `shutdown` waits for the loop to notice, so it may not run in the loop's own thread.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever(poll_interval=0.1)


def _birth(path: Path) -> tuple[str, float]:
    """When this AWS began, and the seed of all that it makes unasked (default VPCs)."""
    if not path.exists():
        write_atomically(path, json.dumps({"seed": os.urandom(16).hex(), "moment": time.time()}).encode(), 0o600)
    try:
        found = json.loads(path.read_bytes())
        return found["seed"], found["moment"]
    except (ValueError, KeyError, TypeError):
        raise damaged(path) from None


if __name__ == "__main__":
    sys.exit(main())
