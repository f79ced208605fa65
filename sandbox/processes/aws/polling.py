"""SQS' long polls: in moto they would wait within their turn, where time stands still, and hold up every other request.

So the wait is ours. A receive that finds nothing changes nothing: it is not journaled, or a consumer that polls for
days would make a journal that takes minutes to replay.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

INTERVAL_SECONDS = 0.1
EMPTY = ("200 OK", [("Content-Type", "application/x-amz-json-1.0")], b"{}")
"""The answer of a receive that found nothing."""

_REGION = re.compile(r"Credential=[^/]+/\d+/([a-z0-9-]+)/sqs/")
_URL = re.compile(r".*/(\d{12})/([A-Za-z0-9_-]{1,80}(?:\.fifo)?)")


@dataclass(frozen=True)
class Poll:
    account: str
    region: str
    queue: str
    until: float
    """In the time of `time.monotonic`."""
    body: bytes
    """The request without its wait."""

    def has_message(self) -> bool:
        """Whether a receive would be given something; true also where it would be an error."""
        queue = _queue(self.account, self.region, self.queue)
        return queue is None or any(message.visible for message in queue.messages)


def read(environ: Mapping[str, Any], body: bytes) -> Poll | None:
    """The request as a poll, if it is one that moto would answer."""
    if environ.get("HTTP_X_AMZ_TARGET") != "AmazonSQS.ReceiveMessage":
        return None
    try:
        request = json.loads(body)
        url = _URL.fullmatch(request["QueueUrl"])
        wait = request.get("WaitTimeSeconds")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    region = _REGION.search(str(environ.get("HTTP_AUTHORIZATION", "")))
    # What moto refuses, it is to refuse: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/
    if url is None or region is None or not (wait is None or (isinstance(wait, int) and 0 <= wait <= 20)):
        return None
    queue = _queue(url[1], region[1], url[2])
    if queue is None:
        return None
    if wait is None:
        wait = int(queue.receive_message_wait_time_seconds or 0)
    without = json.dumps({**request, "WaitTimeSeconds": 0}).encode()
    return Poll(url[1], region[1], url[2], time.monotonic() + wait, without)


def _queue(account: str, region: str, name: str) -> Any:
    from moto.sqs.models import sqs_backends

    return sqs_backends[account][region].queues.get(name)
