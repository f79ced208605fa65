"""The notifier from topic to sink: SNS and SQS of the sandbox, a real Postgres, sinks that misbehave, kill -9."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from prometheus_client import CollectorRegistry

from catalog.services import Service
from fleet.cloud import client
from sandbox.home import CHECKOUT
from services.notifier import alerts
from services.notifier.consumer import Consumer
from services.notifier.dispatcher import Dispatcher, Retries
from services.notifier.envelope import Certificates
from services.notifier.message import render, subject
from services.notifier.metrics import Metrics
from services.notifier.queues import Queues
from services.notifier.sinks import Sink
from services.notifier.sinks.slack import SlackSink
from services.notifier.sinks.webhook import WebhookSink
from tests.free_port import free_port
from tests.service_logins import login
from tests.services.notifier.catching import Catcher, catcher
from tests.services.notifier.samples import MESSAGE, NEXT_MONTH
from tests.temporary_sandbox import Sandbox

pytestmark = pytest.mark.sandbox

REGION = "us-east-1"
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
DEADLINE_SECONDS = 60.0


@dataclass(frozen=True)
class Line:
    """A topic with its queue and dead-letter queue, and a database."""

    environment: Mapping[str, str]
    topic: str
    queue: str
    dead_letters: str
    url: sa.URL
    """As the notifier logs in."""
    engine: sa.Engine
    """The same."""
    administrator: sa.Engine

    def aws(self, service: str) -> Any:
        return client(service, REGION, self.environment)

    def publish(self, text: str, title: str = "AWS Budgets") -> None:
        self.aws("sns").publish(TopicArn=self.topic, Subject=title, Message=text)

    def waiting(self) -> int:
        """Messages that are not acknowledged, those under way included."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.aws("sqs").get_queue_attributes(QueueUrl=self.queue, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)

    def dead(self) -> list[tuple[str, dict[str, str]]]:
        """Bodies and attributes in the dead-letter queue."""
        answer = self.aws("sqs").receive_message(
            QueueUrl=self.dead_letters, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        return [
            (one["Body"], {name: value["StringValue"] for name, value in one.get("MessageAttributes", {}).items()})
            for one in answer.get("Messages", [])
        ]

    def deliveries(self) -> dict[str, alerts.Delivery]:
        with self.engine.connect() as connection:
            ids = [alert.id for alert in alerts.latest(connection, 100)]
            return {one.sink: one for one in alerts.deliveries(connection, ids)}

    def make_due(self) -> None:
        """As if the time of whoever took a delivery were up."""
        with self.engine.begin() as connection:
            connection.execute(sa.update(alerts.DELIVERIES).values(not_before=sa.func.now()))


@pytest.fixture
def line(sandbox: Sandbox, empty_database: sa.URL) -> Iterator[Line]:
    name = f"alerts-{uuid.uuid4().hex[:8]}"
    environment = sandbox.environment
    sqs, sns = client("sqs", REGION, environment), client("sns", REGION, environment)
    dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    topic = sns.create_topic(Name=name)["TopicArn"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    url = login(empty_database, Service.NOTIFIER)
    engine, administrator = sa.create_engine(url), sa.create_engine(empty_database)
    yield Line(environment, topic, queue, dead, url, engine, administrator)
    engine.dispose()
    administrator.dispose()


def _queues(line: Line) -> Queues:
    return Queues(line.aws("sqs"), line.queue, line.dead_letters)


def _consumer(line: Line, *sinks: str, metrics: Metrics | None = None) -> Consumer:
    return Consumer(
        _queues(line),
        line.engine,
        metrics or Metrics(CollectorRegistry()),
        topic=line.topic,
        certificates=Certificates(line.environment["AWS_ENDPOINT_URL"]),
        sinks=sinks,
    )


def _dispatcher(line: Line, sink: Sink, attempts: int = 3) -> Dispatcher:
    retries = Retries(attempts=attempts, first_seconds=0.001)
    return Dispatcher(
        sink, line.engine, _queues(line), Metrics(CollectorRegistry()), retries, lease=timedelta(seconds=60)
    )


def test_an_alert_that_is_published_twice_arrives_once(line: Line) -> None:
    for _ in range(2):
        line.publish(render(MESSAGE), subject(MESSAGE))
    metrics = Metrics(CollectorRegistry())
    assert _consumer(line, "slack", metrics=metrics).once(0) == 2
    with catcher() as caught:
        dispatcher = _dispatcher(line, SlackSink(caught.url, 20))
        assert [dispatcher.once(), dispatcher.once()] == [True, False]
    assert len(caught.caught) == 1
    assert (line.waiting(), line.dead()) == (0, [])
    counted = {outcome: metrics.messages.labels(outcome)._value.get() for outcome in ("recorded", "repeated")}
    assert counted == {"recorded": 1, "repeated": 1}


def test_the_next_period_is_told_again(line: Line) -> None:
    for message in (MESSAGE, NEXT_MONTH):
        line.publish(render(message))
    _consumer(line, "slack").once(0)
    with catcher() as caught:
        dispatcher = _dispatcher(line, SlackSink(caught.url, 20))
        assert [dispatcher.once() for _ in range(3)] == [True, True, False]
    assert len(caught.caught) == 2


@pytest.mark.parametrize("answer", [500, "hang", "reset"])
def test_a_sink_that_recovers_gets_it_and_the_others_did_not_wait(line: Line, answer: Any) -> None:
    line.publish(render(MESSAGE))
    _consumer(line, "slack", "webhook").once(0)
    with catcher(answer) as bad, catcher() as good:
        slow = _dispatcher(line, SlackSink(bad.url, 0.3 if answer == "hang" else 20))
        quick = _dispatcher(line, WebhookSink(good.url, (SECRET,), 20))
        assert slow.once()
        assert quick.once()
        assert line.deliveries()["webhook"].state is alerts.State.SENT
        assert line.deliveries()["slack"].state is alerts.State.PENDING
        line.make_due()
        assert _dispatcher(line, SlackSink(bad.url, 20)).once()
    slack = line.deliveries()["slack"]
    assert (slack.state, slack.attempts, slack.last_error) == (alerts.State.SENT, 2, None)


def test_after_the_last_attempt_it_lies_with_the_dead_letters_with_the_reason(line: Line) -> None:
    line.publish(render(MESSAGE))
    _consumer(line, "slack").once(0)
    with catcher(500, 502, 503) as caught:
        dispatcher = _dispatcher(line, SlackSink(caught.url, 20), attempts=3)
        for _ in range(3):
            line.make_due()
            assert dispatcher.once()
        line.make_due()
        assert not dispatcher.once()
    slack = line.deliveries()["slack"]
    assert (slack.state, slack.attempts, slack.last_error) == (alerts.State.DEAD, 3, "answered 503")
    ((body, attributes),) = line.dead()
    assert attributes == {"Reason": "answered 503", "Sink": "slack"}
    assert json.loads(body)["budget"] == MESSAGE.budget


def test_a_refusal_is_not_tried_again(line: Line) -> None:
    line.publish(render(MESSAGE))
    _consumer(line, "slack").once(0)
    with catcher(404) as caught:
        assert _dispatcher(line, SlackSink(caught.url, 20)).once()
    assert line.deliveries()["slack"].state is alerts.State.DEAD
    assert [attributes["Reason"] for _, attributes in line.dead()] == ["answered 404"]


def test_what_cannot_be_read_is_kept_with_the_reason(line: Line) -> None:
    line.publish("AWS changed its mind about how to write this")
    line.aws("sqs").send_message(QueueUrl=line.queue, MessageBody=json.dumps({"Type": "Notification"}))
    _consumer(line, "slack").once(0)
    reasons = sorted(attributes["Reason"].split(":")[0] for _, attributes in line.dead())
    assert reasons == ["it does not begin with AWS Budget Notification and a date", "it is no notification of SNS"]
    assert (line.waiting(), line.deliveries()) == (0, {})


def test_an_alarm_of_cloudwatch_makes_no_dead_letter(line: Line) -> None:
    line.publish(json.dumps({"AlarmName": "dead letters", "NewStateValue": "ALARM"}))
    _consumer(line, "slack").once(0)
    assert (line.waiting(), line.dead(), line.deliveries()) == (0, [], {})


def test_without_the_certificate_or_the_database_nothing_is_acknowledged(line: Line) -> None:
    # What is not acknowledged comes again at once.
    line.aws("sqs").set_queue_attributes(QueueUrl=line.queue, Attributes={"VisibilityTimeout": "0"})
    line.publish(render(MESSAGE))
    consumer = _consumer(line, "slack")
    with line.administrator.begin() as connection:
        connection.execute(sa.text("ALTER TABLE budget_alerts RENAME TO away"))
    consumer.once(0)
    assert (line.waiting(), line.dead()) == (1, [])
    with line.administrator.begin() as connection:
        connection.execute(sa.text("ALTER TABLE away RENAME TO budget_alerts"))
    blind = Consumer(
        _queues(line),
        line.engine,
        Metrics(CollectorRegistry()),
        topic=line.topic,
        certificates=Certificates("http://127.0.0.1:1"),
        sinks=["slack"],
    )
    assert blind.once(0) == 1
    assert (line.waiting(), line.dead(), line.deliveries()) == (1, [], {})
    assert consumer.once(0) == 1
    assert (line.waiting(), set(line.deliveries())) == (0, {"slack"})


class _Notifier:
    """`python -m services.notifier`, as the container runs it."""

    def __init__(self, environment: Mapping[str, str], port: int) -> None:
        self.port = port
        self._process = subprocess.Popen([sys.executable, "-m", "services.notifier"], cwd=CHECKOUT, env=environment)

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
            return httpx.get(f"http://127.0.0.1:{self.port}{path}")
        except httpx.ConnectError:
            return None

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()


@contextmanager
def _notifier(line: Line, sinks: Mapping[str, Any], port: int) -> Iterator[_Notifier]:
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


def test_what_is_missing_is_told_in_one_line(line: Line) -> None:
    environment = {**line.environment, "PYTHONPATH": str(CHECKOUT)}
    run = subprocess.run(
        [sys.executable, "-m", "services.notifier"], env=environment, cwd=CHECKOUT, capture_output=True, text=True
    )
    assert run.returncode == 1
    assert run.stderr.splitlines() == ["NOTIFIER_QUEUE_URL: Field required; set it in the notifier's environment"]
