"""What SNS wraps a message in, and the proof that SNS wrote it.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message-verify-message-signature.html
The queue's policy lets only the topic write; the signature also tells apart what anybody wrote who was given
`sqs:SendMessage` by some other policy of the account.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import urlsplit

import httpx
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.notifier.sinks.resolving import Loop

_CERTIFICATE_HOST = re.compile(r"sns\.[a-z0-9-]{1,40}\.amazonaws\.com(\.cn)?")
_CERTIFICATE_PATH = re.compile(r"/SimpleNotificationService-[A-Za-z0-9]{1,64}\.pem")
_CERTIFICATE_LIMIT_BYTES = 16 * 1024
_CERTIFICATES_KEPT = 16
_LIMIT_SECONDS = 5.0
"""For all of a certificate, the look-up of the host's name too: no message is taken meanwhile."""
_SIGNED_FIELDS = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
# SHA-1 is what AWS signs version 1 with, which is the default of every topic.
_HASHES: Mapping[str, hashes.HashAlgorithm] = {"1": hashes.SHA1(), "2": hashes.SHA256()}


class Refused(ValueError):
    """It is not what SNS writes, or SNS did not write it; trying again would not help."""


class CertificateUnavailable(Exception):
    """The certificate at `url` cannot be had now: to be tried again."""

    def __init__(self, reason: str, url: str) -> None:
        super().__init__(reason)
        self.url = url


class Envelope(BaseModel):
    """A notification of SNS; what a later SNS may add is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    Type: Literal["Notification"]
    MessageId: str = Field(min_length=1, max_length=200)
    TopicArn: str
    Subject: str | None = None
    Message: str
    Timestamp: datetime
    SignatureVersion: Literal["1", "2"]
    Signature: str
    SigningCertURL: str


@dataclass(frozen=True)
class Notification:
    """What SNS said, verified."""

    id: str
    subject: str
    text: str


class Certificates:
    """Certificates that SNS signs with, fetched once each.

    `endpoint` (of the sandbox) is asked instead of the address's own host, which is checked all the same.
    """

    def __init__(self, endpoint: str | None = None) -> None:
        self._endpoint = endpoint
        self._known: dict[str, x509.Certificate] = {}
        self._lock = threading.Lock()

    def get(self, url: str) -> x509.Certificate:
        """Raises Refused where the address is not one of SNS, CertificateUnavailable where it does not answer."""
        strange = Refused("its signing certificate is not at an address of SNS")
        try:
            parts = urlsplit(url)
        except ValueError:
            raise strange from None
        if (
            _CERTIFICATE_HOST.fullmatch(parts.netloc) is None
            or _CERTIFICATE_PATH.fullmatch(parts.path) is None
            # Nor is there anything else in it: `urlsplit` leaves out line breaks.
            or url != f"https://{parts.netloc}{parts.path}"
        ):
            raise strange
        with self._lock:
            if (known := self._known.get(url)) is not None:
                return known
        certificate = self._fetch(url, parts.netloc, parts.path)
        with self._lock:
            if len(self._known) >= _CERTIFICATES_KEPT:
                self._known.clear()
            self._known[url] = certificate
        return certificate

    def _fetch(self, url: str, host: str, path: str) -> x509.Certificate:
        asked, headers = (url, {}) if self._endpoint is None else (f"{self._endpoint}{path}", {"Host": host})
        try:
            with asyncio.Runner(loop_factory=Loop) as runner:
                content = runner.run(_fetched(asked, headers))
        except TimeoutError:
            raise CertificateUnavailable(f"{host}: no answer within {_LIMIT_SECONDS:g} s", url) from None
        except httpx.HTTPError as error:
            raise CertificateUnavailable(f"{host}: {type(error).__name__}", url) from None
        try:
            certificate = x509.load_pem_x509_certificate(content)
        except ValueError:
            raise Refused("its signing certificate cannot be read") from None
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        if [name.value for name in names] not in (["sns.amazonaws.com"], [host]):
            raise Refused("its signing certificate is not that of SNS")
        return certificate


async def _fetched(url: str, headers: Mapping[str, str]) -> bytes:
    """Raises TimeoutError, httpx.HTTPError, and Refused for what is too long."""
    content = b""
    async with (
        asyncio.timeout(_LIMIT_SECONDS),
        httpx.AsyncClient(timeout=_LIMIT_SECONDS) as client,
        client.stream("GET", url, headers=headers) as answer,
    ):
        answer.raise_for_status()
        async for part in answer.aiter_bytes():
            content += part
            if len(content) > _CERTIFICATE_LIMIT_BYTES:
                raise Refused("its signing certificate is too long")
    return content


def open_envelope(body: str, topic: str, certificate_of: Callable[[str], x509.Certificate]) -> Notification:
    """The notification in a queue message's body. Raises Refused, or CertificateUnavailable."""
    try:
        record = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused("it is not JSON") from None
    try:
        envelope = Envelope.model_validate(record)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise Refused(f"it is no notification of SNS: {where}: {first['msg']}") from None
    if envelope.TopicArn != topic:
        raise Refused("it is of another topic")
    _verify(envelope, record, certificate_of(envelope.SigningCertURL))
    return Notification(envelope.MessageId, envelope.Subject or "", envelope.Message)


def _verify(envelope: Envelope, record: Mapping[str, object], certificate: x509.Certificate) -> None:
    sent = envelope.Timestamp if envelope.Timestamp.tzinfo else envelope.Timestamp.replace(tzinfo=UTC)
    if not certificate.not_valid_before_utc <= sent <= certificate.not_valid_after_utc:
        raise Refused("its signing certificate was not valid when it was sent")
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise Refused("its signing certificate holds no RSA key")
    try:
        signature = base64.b64decode(envelope.Signature, validate=True)
        # `record`, not the model: what was signed is the text as it came.
        key.verify(signature, string_to_sign(record), padding.PKCS1v15(), _HASHES[envelope.SignatureVersion])
    except (InvalidSignature, UnsupportedAlgorithm, binascii.Error, ValueError):
        raise Refused("its signature is not that of SNS") from None


def string_to_sign(record: Mapping[str, object]) -> bytes:
    """The fields that SNS signs, in their order; an absent Subject is left out."""
    fields = ((name, record[name]) for name in _SIGNED_FIELDS if record.get(name) is not None)
    return "".join(f"{name}\n{value}\n" for name, value in fields).encode()
