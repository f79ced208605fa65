"""Certificates: of an authority's own making, valid for the loopback, with keys that fit, for their owner alone."""

from __future__ import annotations

import datetime
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from errors import FreeholdError
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


def read(pair: KeyPair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pair.certificate.read_bytes())


def usages(certificate: x509.Certificate) -> set[x509.ObjectIdentifier]:
    return set(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


def test_a_certificate_is_for_what_it_was_made_for_alone(tmp_path: Path) -> None:
    """A server's key that leaks is no login, and a client's serves nobody; etcd's peers are both."""
    authority = Authority(tmp_path, "test")
    server, client = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
    assert usages(read(authority.server("server"))) == {server}
    assert usages(read(authority.server("etcd", also_client=True))) == {server, client}
    assert usages(read(authority.client("admin", "root"))) == {client}


def test_nobody_but_the_authority_signs(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "test")
    own = x509.load_pem_x509_certificate(authority.certificate_pem.encode())
    for certificate, may in (
        (own, True),
        (read(authority.server("s")), False),
        (read(authority.client("c", "c")), False),
    ):
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        assert constraints.critical and constraints.value == x509.BasicConstraints(
            ca=may, path_length=0 if may else None
        )
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
        assert usage.critical and usage.value.key_cert_sign is may


def test_a_certificate_is_renewed_before_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path, "test")
    monkeypatch.setattr("sandbox.processes.certificates._VALID", datetime.timedelta(days=29))
    short = read(authority.server("server"))
    monkeypatch.undo()
    renewed = read(authority.server("server"))
    assert renewed.not_valid_after_utc - short.not_valid_after_utc > datetime.timedelta(days=365)
    assert read(authority.server("server")) == renewed
    assert fits(authority.server("server"))


def test_a_clock_that_is_set_back_does_not_make_it_too_young(tmp_path: Path) -> None:
    behind = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=55)
    authority = Authority(tmp_path, "test")
    for certificate in (
        read(authority.server("s")),
        x509.load_pem_x509_certificate(authority.certificate_pem.encode()),
    ):
        assert certificate.not_valid_before_utc < behind


def test_a_certificate_with_the_key_of_another_is_made_anew(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "test")
    one, other = authority.server("one"), authority.server("other")
    one.key.write_bytes(other.key.read_bytes())
    assert not fits(one)
    assert fits(authority.server("one"))


def test_an_authority_with_the_key_of_another_is_told(tmp_path: Path) -> None:
    Authority(tmp_path / "one", "test")
    Authority(tmp_path / "other", "test")
    (tmp_path / "one" / "ca.key").write_bytes((tmp_path / "other" / "ca.key").read_bytes())
    with pytest.raises(FreeholdError, match=r"one/ca\.key: is damaged"):
        Authority(tmp_path / "one", "test")
