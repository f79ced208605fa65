"""Notifications signed as SNS signs them, by a key of the test's own."""

from __future__ import annotations

import base64
import datetime
import functools
import json
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from services.notifier.envelope import string_to_sign

TOPIC = "arn:aws:sns:us-east-1:123456789012:chronos-cloud-prod-monthly-alerts"
ADDRESS = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem"


@functools.cache
def key(number: int = 0) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate(
    signer: rsa.RSAPrivateKey | None = None, *, since: int = 2020, until: int = 2100, of: str = "sns.amazonaws.com"
) -> x509.Certificate:
    signer = signer or key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, of)])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(signer.public_key())
        .serial_number(1)
        .not_valid_before(datetime.datetime(since, 1, 1))
        .not_valid_after(datetime.datetime(until, 1, 1))
        .sign(signer, hashes.SHA256())
    )


def notification(text: str = "hello", *, version: str = "2", **changed: Any) -> dict[str, Any]:
    """Signed with the fields that `changed` sets; None leaves one out."""
    fields = {
        "Type": "Notification",
        "MessageId": "m-1",
        "TopicArn": TOPIC,
        "Subject": "A subject",
        "Message": text,
        "Timestamp": "2026-11-20T10:00:00.000Z",
        "SignatureVersion": version,
        "SigningCertURL": ADDRESS,
        **changed,
    }
    record = {name: value for name, value in fields.items() if value is not None}
    algorithm: hashes.HashAlgorithm = hashes.SHA1() if version == "1" else hashes.SHA256()
    signature = key().sign(string_to_sign(record), padding.PKCS1v15(), algorithm)
    return {**record, "Signature": base64.b64encode(signature).decode()}


def body(**changed: Any) -> str:
    return json.dumps(notification(**changed))
