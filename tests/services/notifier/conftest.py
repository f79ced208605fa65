"""A line of its own for each test that wants one."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from catalog.services import Service
from fleet.cloud import client
from tests.service_logins import login
from tests.services.notifier.line import REGION, Line
from tests.temporary_sandbox import Sandbox


@pytest.fixture
def line(sandbox: Sandbox, migrated_database: sa.URL) -> Iterator[Line]:
    name = f"alerts-{uuid.uuid4().hex[:8]}"
    environment = sandbox.environment
    sqs, sns = client("sqs", REGION, environment), client("sns", REGION, environment)
    dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    topic = sns.create_topic(Name=name)["TopicArn"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    url = login(migrated_database, Service.NOTIFIER)
    engine, administrator = sa.create_engine(url), sa.create_engine(migrated_database)
    yield Line(environment, topic, queue, dead, url, engine, administrator)
    engine.dispose()
    administrator.dispose()
