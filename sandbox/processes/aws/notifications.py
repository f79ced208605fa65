"""How SNS signs what it delivers: as AWS does, the subject included, with one key that stays the same.

moto leaves out the subject, always signs by version 2, and draws a new key at each start, so that a message would
be another one after a replay of the journal.
https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message-verify-message-signature.html
"""

from __future__ import annotations

import base64
import datetime
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from sandbox.files import damaged, write_atomically

_FIELDS = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_DEFAULT_VERSION = "1"


class Notifications:
    """Signs with the key in a file, which is made if there is none."""

    def __init__(self, key_file: Path) -> None:
        self._key = _key(key_file)
        public = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self._name = f"SimpleNotificationService-{hashlib.sha256(public).hexdigest()[:32]}.pem"

    def files(self) -> Mapping[str, bytes]:
        """The certificate, by the path of its address."""
        return {f"/{self._name}": _certificate(self._key)}

    def install(self) -> None:
        """Have moto's subscriptions sign so."""
        from moto.sns.models import Subscription

        def get_post_data(
            subscription: Any,
            message: str,
            message_id: str,
            subject: str | None,
            message_attributes: dict[str, Any] | None = None,
        ) -> dict[str, Any]:
            topic = subscription.topic
            region = topic.sns_backend.region_name
            version = str(getattr(topic, "signature_version", None) or _DEFAULT_VERSION)
            now = datetime.datetime.now(datetime.UTC)
            record: dict[str, Any] = {
                "Type": "Notification",
                "MessageId": message_id,
                "TopicArn": topic.arn,
                **({"Subject": subject} if subject else {}),
                "Message": message,
                "Timestamp": f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z",
                "SignatureVersion": version,
            }
            return {
                **record,
                "Signature": self._sign(record, version),
                "SigningCertURL": f"https://sns.{region}.amazonaws.com/{self._name}",
                "UnsubscribeURL": (
                    f"https://sns.{region}.amazonaws.com/?Action=Unsubscribe&SubscriptionArn={subscription.arn}"
                ),
                **({"MessageAttributes": message_attributes} if message_attributes else {}),
            }

        vars_of: Any = Subscription
        vars_of.get_post_data = get_post_data

    def _sign(self, record: dict[str, Any], version: str) -> str:
        text = "".join(f"{name}\n{record[name]}\n" for name in _FIELDS if name in record)
        algorithm: hashes.HashAlgorithm = hashes.SHA256() if version == "2" else hashes.SHA1()
        return base64.b64encode(self._key.sign(text.encode(), padding.PKCS1v15(), algorithm)).decode()


def _key(path: Path) -> rsa.RSAPrivateKey:
    if not path.exists():
        made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = made.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_atomically(path, pem, 0o600)
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except ValueError:
        raise damaged(path) from None
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def _certificate(key: rsa.RSAPrivateKey) -> bytes:
    def name(common: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])

    made = (
        x509.CertificateBuilder()
        .subject_name(name("sns.amazonaws.com"))
        .issuer_name(name("freehold sandbox"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(2120, 1, 1, tzinfo=datetime.UTC))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)
