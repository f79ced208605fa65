"""A webhook of anybody's, signed as Standard Webhooks says.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
`webhook-id` is the same however often an alert is sent: whoever receives it can tell a repetition.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from errors import FreeholdError
from services.notifier.alerts import Alert
from services.notifier.sinks.posting import post

_PREFIX = "whsec_"
_SHORTEST_KEY_BYTES, _LONGEST_KEY_BYTES = 24, 64


@dataclass(frozen=True)
class WebhookSink:
    url: str
    secrets: tuple[str, ...]
    """`whsec_` and base64; several while one is replaced by another."""
    limit_seconds: float
    clock: Callable[[], float] = field(default=time.time)
    name: str = "webhook"

    def __post_init__(self) -> None:
        for secret in self.secrets:
            key(secret)

    def send(self, alert: Alert) -> None:
        identity, moment = f"alert_{alert.id}", str(int(self.clock()))
        body = json.dumps(
            {
                "type": "budget.threshold_crossed",
                "timestamp": alert.received_at.isoformat(),
                "data": {
                    "account": alert.account,
                    "budget": alert.budget,
                    "alert_type": alert.type,
                    "threshold": alert.threshold,
                    "period": alert.period,
                    "budgeted": alert.budgeted,
                    "spent": alert.spent,
                    "correlation_id": alert.correlation_id,
                },
            }
        ).encode()
        headers = {
            "Content-Type": "application/json",
            "webhook-id": identity,
            "webhook-timestamp": moment,
            "webhook-signature": " ".join(signature(secret, identity, moment, body) for secret in self.secrets),
        }
        post(self.url, body, headers, self.limit_seconds)


def key(secret: str) -> bytes:
    """The bytes of a signing secret. Raises FreeholdError where it is none."""
    try:
        decoded = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    if not _SHORTEST_KEY_BYTES <= len(decoded) <= _LONGEST_KEY_BYTES:
        raise FreeholdError(
            f"a signing secret is whsec_ and base64 of {_SHORTEST_KEY_BYTES} to {_LONGEST_KEY_BYTES} bytes",
            where="sink webhook",
            mend="openssl rand -base64 32",
        )
    return decoded


def signature(secret: str, identity: str, moment: str, body: bytes) -> str:
    signed = f"{identity}.{moment}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(key(secret), signed, hashlib.sha256)).decode()}"
