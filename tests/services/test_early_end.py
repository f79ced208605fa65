"""A service that is told to end while it starts, as the first process of a container, which hears of no signal that it
has not asked for."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from functools import partial

import pytest

from sandbox.home import CHECKOUT

_ARN = "arn:aws:secretsmanager:us-east-1:000000000000:secret:x"
_NOTIFIER = {
    "NOTIFIER_QUEUE_URL": "http://127.0.0.1:9/q",
    "NOTIFIER_DEAD_LETTER_QUEUE_URL": "http://127.0.0.1:9/d",
    "NOTIFIER_TOPIC_ARN": "arn:aws:sns:us-east-1:000000000000:alerts",
    "NOTIFIER_DATABASE_SECRET": _ARN,
    "NOTIFIER_SINKS_SECRET": _ARN,
}
_BILLING = {"STRIPE_WEBHOOK_SECRET_ARN": _ARN}


@pytest.mark.parametrize(("service", "settings"), [("notifier", _NOTIFIER), ("billing", _BILLING)])
def test_it_ends_while_its_secrets_are_awaited(service: str, settings: Mapping[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as never_answers:
        environment = {
            **settings,
            "PATH": os.defpath,
            "PYTHONPATH": str(CHECKOUT),
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{never_answers.getsockname()[1]}",
        }
        process = subprocess.Popen(
            [sys.executable, "-m", f"services.{service}"],
            cwd=CHECKOUT,
            env=environment,
            preexec_fn=partial(signal.signal, signal.SIGTERM, signal.SIG_IGN),  # as the kernel treats a first process
        )
        try:
            never_answers.settimeout(60)
            connection, _ = never_answers.accept()
            with connection:
                process.send_signal(signal.SIGTERM)
                # 1, some seconds later, where it does not hear it and gives up.
                assert process.wait(60) == 0
        finally:
            process.kill()
            process.wait()
