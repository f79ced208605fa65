"""A line from topic to sink: SNS and SQS of the sandbox, a real Postgres, and what reads from them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from prometheus_client import CollectorRegistry

from fleet.cloud import client
from services.notifier import alerts
from services.notifier.consumer import Consumer
from services.notifier.dispatcher import Dispatcher, Retries
from services.notifier.envelope import Certificates
from services.notifier.metrics import Metrics
from services.notifier.queues import Queues
from services.notifier.sinks import Sink

REGION = "us-east-1"
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()


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


def queues(line: Line) -> Queues:
    return Queues(line.aws("sqs"), line.queue, line.dead_letters)


def consumer(line: Line, *sinks: str, metrics: Metrics | None = None) -> Consumer:
    return Consumer(
        queues(line),
        line.engine,
        metrics or Metrics(CollectorRegistry()),
        topic=line.topic,
        certificates=Certificates(line.environment["AWS_ENDPOINT_URL"]),
        sinks=sinks,
    )


def dispatcher(line: Line, sink: Sink, attempts: int = 3) -> Dispatcher:
    retries = Retries(attempts=attempts, first_seconds=0.001)
    return Dispatcher(
        sink, line.engine, queues(line), Metrics(CollectorRegistry()), retries, lease=timedelta(seconds=60)
    )
