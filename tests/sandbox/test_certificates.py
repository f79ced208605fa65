"""Certificates: of an authority's own making, valid for the loopback, with keys that fit, for their owner alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from sandbox.processes.certificates import Authority, KeyPair, service_account_keys


def fits(pair: KeyPair) -> bool:
    certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
    key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return certificate.public_key().public_bytes(*form) == key.public_key().public_bytes(*form)


def test_the_same_certificate_asked_for_at_once_is_made_once_and_fits_its_key(tmp_path: Path) -> None:
    def ask(_: int) -> bytes:
        return Authority(tmp_path, "test").server("postgres").certificate.read_bytes()

    with ThreadPoolExecutor(16) as pool:
        made = set(pool.map(ask, range(32)))
    assert len(made) == 1
    assert fits(Authority(tmp_path, "test").server("postgres"))


def test_a_server_certificate_is_for_the_loopback_and_a_client_certificate_for_no_host(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "test")
    served = x509.load_pem_x509_certificate(authority.server("server").certificate.read_bytes())
    names = served.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name) for name in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    client = x509.load_pem_x509_certificate(authority.client("admin", "root", ["admins"]).certificate.read_bytes())
    assert client.subject.rfc4514_string() == "CN=root,O=admins"
    with pytest.raises(x509.ExtensionNotFound):
        client.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    served.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.certificate_pem.encode()))


def test_two_authorities_do_not_vouch_for_each_other(tmp_path: Path) -> None:
    one, other = Authority(tmp_path / "one", "same name"), Authority(tmp_path / "other", "same name")
    certificate = x509.load_pem_x509_certificate(one.server("server").certificate.read_bytes())
    with pytest.raises(ValueError, match="subject does not match certificate issuer"):
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(other.certificate_pem.encode()))


def test_keys_are_for_their_owner_alone(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "test")
    for key in (authority.server("server").key, tmp_path / "ca.key", service_account_keys(tmp_path).key):
        assert key.stat().st_mode & 0o077 == 0, key
