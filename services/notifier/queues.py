"""The queue that the topic writes to, and the one for what cannot be delivered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
_REASON_CHARACTERS = 1000


class QueueUnavailable(Exception):
    """SQS does not answer, or refuses; one line."""


@dataclass(frozen=True)
class QueueMessage:
    id: str
    body: str
    receipt: str


class Queues:
    """`client` is boto3's of SQS; safe to be used from several threads, as its clients are."""

    def __init__(self, client: Any, queue_url: str, dead_letter_url: str) -> None:
        self._client, self._queue, self._dead_letters = client, queue_url, dead_letter_url

    def receive(self, wait_seconds: int) -> Sequence[QueueMessage]:
        """Up to ten; they come again after the queue's visibility timeout unless they are acknowledged."""
        answer = self._call(
            "receive_message", QueueUrl=self._queue, MaxNumberOfMessages=10, WaitTimeSeconds=wait_seconds
        )
        return [
            QueueMessage(message["MessageId"], message["Body"], message["ReceiptHandle"])
            for message in answer.get("Messages", ())
        ]

    def acknowledge(self, message: QueueMessage) -> None:
        self._call("delete_message", QueueUrl=self._queue, ReceiptHandle=message.receipt)

    def bury(self, body: str, reason: str, *, sink: str = "") -> None:
        """Put something into the dead-letter queue, with the reason why it lies there."""
        attributes = {"Reason": reason[:_REASON_CHARACTERS] or "unknown"} | ({"Sink": sink} if sink else {})
        self._call(
            "send_message",
            QueueUrl=self._dead_letters,
            MessageBody=body,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
        )

    def _call(self, operation: str, **request: Any) -> Mapping[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer: Mapping[str, Any] = getattr(self._client, operation)(**request)
        except (BotoCoreError, ClientError) as error:
            raise QueueUnavailable(f"{operation}: {' '.join(str(error).split())}") from None
        return answer
