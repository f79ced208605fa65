"""Certificate authorities of the sandbox and what they sign.

Each cluster has an authority of its own, as on EKS, so that a client certificate of one opens no other; one more signs
for the servers that clusters share or that have none (databases, caches, the token webhook).
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sandbox.files import damaged, write_atomically

LOOPBACK = ("127.0.0.1", "localhost")
"""The names under which the sandbox's servers are reached."""

_VALID = datetime.timedelta(days=3650)
_RENEW_BEFORE = datetime.timedelta(days=30)
# Clocks of guests and containers jump; a certificate must not be "not yet valid" for it.
_BACKDATED = datetime.timedelta(hours=1)
# Two instances that are made at once ask for the same certificate: a key must not meet the other's certificate.
_issuing = threading.RLock()


@dataclass(frozen=True)
class KeyPair:
    """Files of a certificate (mode 0644) and its key (mode 0600), both PEM."""

    certificate: Path
    key: Path


class Authority:
    """A certificate authority kept in a folder: `ca.crt` and `ca.key`. Making one raises a FreeholdError where they are
    damaged: what it has signed is out in the world."""

    def __init__(self, directory: Path, name: str) -> None:
        self.directory = directory
        self.certificate_path = directory / "ca.crt"
        key_path = directory / "ca.key"
        with _issuing:
            if not (self.certificate_path.exists() and key_path.exists()):
                directory.mkdir(parents=True, exist_ok=True)
                fresh = ec.generate_private_key(ec.SECP256R1())
                write_atomically(key_path, _key_pem(fresh), 0o600)
                write_atomically(self.certificate_path, _pem(_self_signed(name, fresh)), 0o644)
        try:
            self._certificate = x509.load_pem_x509_certificate(self.certificate_path.read_bytes())
        except ValueError:
            raise damaged(self.certificate_path) from None
        key = _private_key(key_path)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != self._certificate.public_key():
            raise damaged(key_path)
        self._key = key

    @property
    def certificate_pem(self) -> str:
        return self.certificate_path.read_text()

    def server(self, name: str, *, also_client: bool = False) -> KeyPair:
        """A certificate for a server on this machine's loopback; `also_client` lets it present itself to its peers."""
        usages = [ExtendedKeyUsageOID.SERVER_AUTH] + ([ExtendedKeyUsageOID.CLIENT_AUTH] if also_client else [])
        return self._issue(name, name, (), usages, LOOPBACK)

    def client(self, name: str, common_name: str, organizations: Sequence[str] = ()) -> KeyPair:
        """A client certificate; to Kubernetes the common name is the user and the organizations are its groups."""
        return self._issue(name, common_name, organizations, [ExtendedKeyUsageOID.CLIENT_AUTH], ())

    def _issue(
        self,
        name: str,
        common_name: str,
        organizations: Sequence[str],
        usages: Sequence[x509.ObjectIdentifier],
        hosts: Sequence[str],
    ) -> KeyPair:
        pair = KeyPair(self.directory / f"{name}.crt", self.directory / f"{name}.key")
        with _issuing:
            if not self._is_valid(pair):
                self._make(pair, common_name, organizations, usages, hosts)
        return pair

    def _is_valid(self, pair: KeyPair) -> bool:
        """Whether it can be used for a while; one that is damaged, or that another authority signed, is made anew."""
        if not (pair.certificate.exists() and pair.key.exists()):
            return False
        key = _private_key(pair.key)
        try:
            issued = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
            issued.verify_directly_issued_by(self._certificate)
        except (TypeError, ValueError, InvalidSignature, UnsupportedAlgorithm):
            return False
        lasts = issued.not_valid_after_utc - datetime.datetime.now(datetime.UTC) > _RENEW_BEFORE
        return lasts and key is not None and key.public_key() == issued.public_key()

    def _make(
        self,
        pair: KeyPair,
        common_name: str,
        organizations: Sequence[str],
        usages: Sequence[x509.ObjectIdentifier],
        hosts: Sequence[str],
    ) -> None:
        subject = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in organizations]
        subject.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _builder(x509.Name(subject), self._certificate.subject, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if hosts:
            names = x509.SubjectAlternativeName([_host(host) for host in hosts])
            builder = builder.add_extension(names, critical=False)
        write_atomically(pair.key, _key_pem(key), 0o600)
        write_atomically(pair.certificate, _pem(builder.sign(self._key, hashes.SHA256())), 0o644)


def service_account_keys(directory: Path) -> KeyPair:
    """The key that signs a cluster's service account tokens: RSA, because AWS' OIDC federation wants RS256."""
    pair = KeyPair(directory / "service-account.pub", directory / "service-account.key")
    if pair.key.exists() and pair.certificate.exists():
        if _private_key(pair.key) is None:
            raise damaged(pair.key)
    else:
        directory.mkdir(parents=True, exist_ok=True)
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        write_atomically(pair.key, _key_pem(key), 0o600)
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        write_atomically(pair.certificate, public, 0o644)
    return pair


def _private_key(path: Path) -> PrivateKeyTypes | None:
    """None where the file holds no key."""
    try:
        return serialization.load_pem_private_key(path.read_bytes(), None)
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return None


def _self_signed(name: str, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    # The random part keeps two authorities of one name apart in clients that look an issuer up by name.
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} {os.urandom(4).hex()}")])
    return (
        _builder(subject, subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(digital_signature=True, certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + _VALID)
    )


def _key_usage(*, digital_signature: bool, certificates: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=certificates,
        crl_sign=certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
