"""Queues and notifications of our moto: long polls that hold up nobody, signatures as SNS makes them."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any

import pytest

from services.notifier.envelope import Certificates, Refused, open_envelope
from tests import plain_http
from tests.sandbox.aws_process import AwsProcess


def _queue(aws: AwsProcess, name: str) -> str:
    return str(aws.client("sqs").create_queue(QueueName=name)["QueueUrl"])


def _subscribed(aws: AwsProcess, name: str, attributes: Mapping[str, str]) -> tuple[str, str]:
    topic = str(aws.client("sns").create_topic(Name=name, Attributes=attributes)["TopicArn"])
    queue = _queue(aws, name)
    arn = aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return topic, queue


def _received(aws: AwsProcess, queue: str, wait: int = 0) -> list[Any]:
    messages = aws.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=wait).get("Messages", [])
    return [message["Body"] for message in messages]


def test_a_long_poll_lets_others_have_their_turn_and_gets_what_they_send(aws: AwsProcess) -> None:
    queue = _queue(aws, "polled")
    got: list[Any] = []
    poll = threading.Thread(target=lambda: got.extend(_received(aws, queue, wait=20)))
    poll.start()
    aws.client("sqs").send_message(QueueUrl=queue, MessageBody="hello")
    poll.join()
    assert got == ["hello"]


def test_a_poll_that_finds_nothing_leaves_no_trace(aws: AwsProcess) -> None:
    queue = _queue(aws, "quiet")
    journal = aws.home.data / "aws" / "journal.jsonl"
    before = journal.read_bytes()
    assert _received(aws, queue) == []
    assert _received(aws, queue, wait=1) == []
    assert journal.read_bytes() == before


@pytest.mark.parametrize("version", ["1", "2"])
def test_what_sns_delivers_is_signed_the_subject_included(aws: AwsProcess, version: str) -> None:
    topic, queue = _subscribed(aws, f"signed-{version}", {"SignatureVersion": version})
    aws.client("sns").publish(TopicArn=topic, Subject="A subject", Message="the text")
    (body,) = _received(aws, queue)
    assert json.loads(body)["SignatureVersion"] == version
    certificates = Certificates(aws.endpoint)
    opened = open_envelope(body, topic, certificates.get)
    assert (opened.subject, opened.text) == ("A subject", "the text")
    with pytest.raises(Refused, match="signature"):
        open_envelope(json.dumps({**json.loads(body), "Subject": "Another"}), topic, certificates.get)


def test_a_message_is_the_same_after_a_restart(aws: AwsProcess) -> None:
    topic, queue = _subscribed(aws, "restarted", {})
    aws.client("sns").publish(TopicArn=topic, Message="before")
    aws.kill()
    aws.start()
    report = plain_http.get(f"{aws.endpoint}/freehold/health").json()
    assert report["diverged"] == []
    (body,) = _received(aws, queue)
    assert open_envelope(body, topic, Certificates(aws.endpoint).get).text == "before"
