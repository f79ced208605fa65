"""The notifier as the container runs it: killed, terminated, started without its settings."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from sandbox.home import CHECKOUT
from services.health import NotReady
from services.notifier import alerts, leftovers
from services.notifier.__main__ import working
from services.notifier.message import render
from tests import plain_http
from tests.free_port import free_port
from tests.services.notifier.catching import Catcher, catcher
from tests.services.notifier.line import SECRET, Line, consumer
from tests.services.notifier.samples import MESSAGE

pytestmark = pytest.mark.sandbox

DEADLINE_SECONDS = 60.0


class _Notifier:
    """`python -m services.notifier`, as the container runs it."""

    def __init__(self, environment: Mapping[str, str], port: int, program: Sequence[str]) -> None:
        self.port = port
        self._process = subprocess.Popen([sys.executable, *program], cwd=CHECKOUT, env=environment)

    def signal(self, number: signal.Signals) -> int:
        """Returns the exit code."""
        self._process.send_signal(number)
        return self._process.wait()

    def kill(self) -> int:
        os.kill(self._process.pid, signal.SIGKILL)
        return 500

    def get(self, path: str) -> httpx.Response | None:
        assert self._process.poll() is None
        try:
            return plain_http.get(f"http://127.0.0.1:{self.port}{path}")
        except httpx.ConnectError:
            return None

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()


@contextmanager
def _notifier(
    line: Line, sinks: Mapping[str, Any], port: int, program: Sequence[str] = ("-m", "services.notifier")
) -> Iterator[_Notifier]:
    secrets = line.aws("secretsmanager")

    def secret(record: Mapping[str, Any]) -> str:
        return str(secrets.create_secret(Name=uuid.uuid4().hex, SecretString=json.dumps(record))["ARN"])

    url = line.url
    database = {
        "host": url.host,
        "port": url.port,
        "database": url.database,
        "username": url.username,
        "password": url.password,
    }
    process = _Notifier(
        {
            **line.environment,
            "PYTHONPATH": str(CHECKOUT),
            "PORT": str(port),
            "NOTIFIER_HOST": "127.0.0.1",
            "NOTIFIER_QUEUE_URL": line.queue,
            "NOTIFIER_DEAD_LETTER_QUEUE_URL": line.dead_letters,
            "NOTIFIER_TOPIC_ARN": line.topic,
            "NOTIFIER_DATABASE_SECRET": secret(database),
            "NOTIFIER_SINKS_SECRET": secret(sinks),
        },
        port,
        program,
    )
    try:
        yield process
    finally:
        process.end()


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.05)


def _webhook(sink: Catcher) -> Mapping[str, Any]:
    return {"webhook": {"url": sink.url, "secrets": [SECRET]}}


def test_killed_between_sending_and_recording_it_sends_again_under_the_same_id(line: Line) -> None:
    """At least once: the sink had it, and the database does not know. Receivers tell by webhook-id."""
    with catcher() as sink:
        line.publish(render(MESSAGE))
        with _notifier(line, _webhook(sink), free_port()) as first:
            sink.answers.append(first.kill)
            sink.arrived.acquire()
            assert first._process.wait() == -signal.SIGKILL
        delivery = line.deliveries()["webhook"]
        assert (delivery.state, delivery.attempts) == (alerts.State.PENDING, 1)
        line.make_due()
        with _notifier(line, _webhook(sink), free_port()) as second:
            _until(lambda: line.deliveries()["webhook"].state is alerts.State.SENT, "sent")
            assert second.signal(signal.SIGTERM) == 0
    assert len(sink.caught) == 2
    assert {one.headers["webhook-id"] for one in sink.caught} == {f"alert_{alerts.alert_id(MESSAGE)}"}
    assert (line.waiting(), line.dead()) == (0, [])


def test_it_tells_its_health_and_drains_on_sigterm(line: Line) -> None:
    terminated = threading.Event()

    def slowly() -> int:
        assert terminated.wait(DEADLINE_SECONDS)
        return 200

    with catcher(slowly) as sink, _notifier(line, _webhook(sink), free_port()) as notifier:
        _until(lambda: (answer := notifier.get("/readyz")) is not None and answer.status_code == 200, "ready")
        line.publish(render(MESSAGE))
        sink.arrived.acquire()
        metrics = notifier.get("/metrics")
        assert metrics is not None and 'freehold_notifier_messages_total{outcome="recorded"} 1.0' in metrics.text
        notifier._process.send_signal(signal.SIGTERM)
        terminated.set()
        assert notifier._process.wait() == 0
    assert line.deliveries()["webhook"].state is alerts.State.SENT


_TERMINATED_EARLY = """
import os, runpy, signal
import uvicorn

run = uvicorn.Server.run


def terminated(self, *arguments):
    os.kill(os.getpid(), signal.SIGTERM)
    run(self, *arguments)


uvicorn.Server.run = terminated
runpy.run_module("services.notifier", run_name="__main__")
"""


def test_a_sigterm_before_its_server_has_begun_ends_it_too(line: Line) -> None:
    """It would wait for the SIGKILL that comes a minute later."""
    with catcher() as sink, _notifier(line, _webhook(sink), free_port(), ("-c", _TERMINATED_EARLY)) as notifier:
        assert notifier._process.wait(DEADLINE_SECONDS) == 0


def test_what_was_left_by_a_sink_that_was_removed_is_ended(line: Line) -> None:
    line.publish(render(MESSAGE))
    consumer(line, "slack").once(0)
    with line.engine.begin() as connection:
        overdue = sa.func.now() - 2 * leftovers.AFTER
        connection.execute(sa.update(alerts.DELIVERIES).values(not_before=overdue))
    with catcher() as sink, _notifier(line, _webhook(sink), free_port()) as notifier:
        _until(lambda: line.deliveries()["slack"].state is alerts.State.DEAD, "dead")
        assert notifier.signal(signal.SIGTERM) == 0
    assert [attributes["Sink"] for _, attributes in line.dead()] == ["slack"]


def test_when_the_last_alert_came_is_told_after_a_restart_too(line: Line) -> None:
    line.publish(render(MESSAGE))
    consumer(line, "webhook").once(0)
    with line.engine.connect() as connection:
        (alert,) = alerts.latest(connection, 1)
    gauge = "freehold_notifier_last_alert_timestamp_seconds"

    def told() -> float:
        answer = notifier.get("/metrics")
        values = [
            one.partition(" ")[2] for one in (answer.text if answer else "").splitlines() if one.startswith(gauge)
        ]
        return float(values[0]) if values else 0.0

    with catcher() as sink, _notifier(line, _webhook(sink), free_port()) as notifier:
        _until(lambda: told() == pytest.approx(alert.received_at.timestamp()), "told")
        assert notifier.signal(signal.SIGTERM) == 0


def test_a_worker_that_has_ended_has_the_process_restarted() -> None:
    going, over = threading.Event(), threading.Thread(target=lambda: None, name="Consumer.run")
    goes_on = threading.Thread(target=going.wait)
    for thread in (goes_on, over):
        thread.start()
    working([goes_on])()
    over.join()
    with pytest.raises(NotReady, match=r"^Consumer\.run has ended$"):
        working([goes_on, over])()
    going.set()
    goes_on.join()


def test_what_is_missing_is_told_in_one_line(line: Line) -> None:
    environment = {**line.environment, "PYTHONPATH": str(CHECKOUT)}
    run = subprocess.run(
        [sys.executable, "-m", "services.notifier"], env=environment, cwd=CHECKOUT, capture_output=True, text=True
    )
    assert run.returncode == 1
    assert run.stderr.splitlines() == ["NOTIFIER_QUEUE_URL: Field required; set it in the notifier's environment"]
