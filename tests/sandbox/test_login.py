"""The webhook that API servers ask: whom it lets ask, how long it remembers, and whose policies count for whom."""

from __future__ import annotations

import datetime
import http.client
import json
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from sandbox.home import CHECKOUT
from sandbox.processes.certificates import Authority
from sandbox.processes.http_check import tls_context
from sandbox.processes.login import __main__ as login
from sandbox.processes.login.access import ACCESS_ENTRY, POLICY_ASSOCIATION, AccessEntries
from sandbox.processes.login.tokens import Caller, TokenVerifier
from sandbox.providers.recorded import RecordedStore
from tests.free_port import free_port

USER = "arn:aws:iam::123456789012:user/{}"


class Verifier:
    """Believes every token, which is its caller's name, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = list[tuple[str, str]]()
        self.lasts = datetime.timedelta(minutes=15)

    def verify(self, token: str, cluster: str, now: datetime.datetime) -> tuple[Caller, datetime.datetime]:
        self.asked.append((token, cluster))
        return Caller(USER.format(token), "AIDA", "123456789012", "AKIA"), now + self.lasts


@pytest.fixture
def verifier() -> Verifier:
    return Verifier()


@pytest.fixture
def store(tmp_path: Path) -> RecordedStore:
    """Ann and Bob may log in to the cluster `first`."""
    store = RecordedStore(tmp_path / "recorded.sqlite")
    for name in ("ann", "bob"):
        store.put(ACCESS_ENTRY, name, "urn", {"clusterName": "first", "principalArn": USER.format(name)}, {})
    return store


@pytest.fixture
def asked(verifier: Verifier, store: RecordedStore) -> login.Login:
    return login.Login(cast(TokenVerifier, verifier), AccessEntries(store))


def test_a_token_is_remembered_for_its_cluster_alone_and_not_for_long(
    asked: login.Login, verifier: Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    for cluster in ("first", "first", "second", "first"):
        asked.review("ann", cluster)
    assert verifier.asked == [("ann", "first"), ("ann", "second")]
    later = time.monotonic() + login._CACHE_SECONDS + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    asked.review("ann", "first")
    assert len(verifier.asked) == 3


def test_a_token_that_has_ended_is_not_remembered(asked: login.Login, verifier: Verifier) -> None:
    verifier.lasts = datetime.timedelta(0)
    asked.review("ann", "first")
    asked.review("ann", "first")
    assert len(verifier.asked) == 2


def test_what_is_remembered_has_an_end(asked: login.Login, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login, "_CACHE_ENTRIES", 3)
    for number in range(10):
        asked.review(str(number), "first")
    assert len(asked._verified) <= 3


def test_a_policy_is_its_principal_s_and_one_that_nobody_knows_gives_nothing(
    asked: login.Login, store: RecordedStore
) -> None:
    for name, policy in (("ann", "AmazonEKSClusterAdminPolicy"), ("bob", "AmazonEKSNoSuchPolicy")):
        arn = f"arn:aws:eks::aws:cluster-access-policy/{policy}"
        inputs = {"clusterName": "first", "principalArn": USER.format(name), "policyArn": arn}
        store.put(POLICY_ASSOCIATION, name, "urn", {**inputs, "accessScope": {"type": "cluster"}}, {})
    groups = {name: asked.review(name, "first")["user"]["groups"] for name in ("ann", "bob")}
    assert groups == {"ann": ["system:masters"], "bob": []}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[int, Authority]]:
    """The webhook as a process, whose STS does not answer; its port, and who signs for it."""
    authority, port = Authority(tmp_path / "certificates", "test"), free_port()
    pair = authority.server("webhook")
    files = ["--certificate", pair.certificate, "--key", pair.key, "--client-authority", authority.certificate_path]
    command = [sys.executable, "-m", "sandbox.processes.login", "--home", tmp_path, "--port", port]
    process = subprocess.Popen(
        [*map(str, (*command, *files)), "--aws", f"http://127.0.0.1:{free_port()}"], cwd=CHECKOUT
    )
    deadline = time.monotonic() + 30
    while ask(port, authority, "GET", "/healthz") != 200:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    yield port, authority
    process.terminate()
    process.wait(10)


def ask(port: int, authority: Authority, method: str, path: str, body: bytes = b"", *, client: bool = True) -> int:
    """The answer's status; 0 where nobody listens yet."""
    context = tls_context(authority.certificate_path, authority.client("asker", "asker") if client else None)
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
    try:
        connection.request(method, path, body)
        return connection.getresponse().status
    except ConnectionRefusedError:
        return 0
    finally:
        connection.close()


def test_nobody_without_our_certificate_asks_and_nobody_asks_for_much(served: tuple[int, Authority]) -> None:
    port, authority = served
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
        ask(port, authority, "GET", "/healthz", client=False)
    review = json.dumps({"spec": {"token": "k8s-aws-v1.x"}}).encode()
    asked = [
        ("/clusters/first", review + b" " * login._BODY_LIMIT_BYTES, 400),
        ("/clusters/first", b"", 400),
        ("/clusters/first", b"{}", 400),
        ("/clusters/../first", review, 400),
        ("/clusters/first", review, 200),  # refused without asking STS: it is no token
    ]
    for path, body, status in asked:
        assert ask(port, authority, "POST", path, body) == status, (path, body[:40])
