"""A control database that does not answer, or whose login is none: what is advised is of the place where it is."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from types import SimpleNamespace

import pytest

from errors import FreeholdError, TransientError
from fleet import cloud
from fleet import control_database as ways
from stacks.contract import PlatformContract
from tests.fleet.contracts import contract


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Iterator[PlatformContract]:
    """One whose control database is a port where nobody listens."""
    secret = {"username": "freehold", "password": "secret"}
    monkeypatch.setattr(ways, "read_secret", lambda *_: secret)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        server = {"host": "127.0.0.1", "port": taken.getsockname()[1], "database": "d", "admin_secret": "s"}
        both = {name: {**server, "identifier": f"cc-prod-{name}"} for name in ("tenants", "control")}
        yield contract(database=both)


@pytest.mark.parametrize(
    ("variables", "mend"),
    [
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, r"; \./freehold sandbox status$"),
        (
            {},
            r"; it is reached from inside its network alone \(docs/deploy\.md.*-identifier cc-prod-control",
        ),
    ],
    ids=("sandbox", "cloud"),
)
def test_the_mend_is_of_the_place(platform: PlatformContract, variables: Mapping[str, str], mend: str) -> None:
    with pytest.raises(TransientError, match=rf"^control database of x: cannot connect: .*{mend}") as error:
        ways.control_database(platform, {"PGSSLROOTCERT": "/dev/null", **variables})
    assert "secret" not in error.value.line()


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        ({"SecretString": "hunter2"}, "it is no JSON object"),
        ({"SecretString": '["hunter2"]'}, "it is no JSON object"),
        ({"SecretBinary": b"hunter2"}, "it is no JSON object"),
        ({"SecretString": '{"password": "hunter2"}'}, "its record has no username"),
        ({"SecretString": '{"username": "hunter2"}'}, "its record has no password"),
    ],
)
def test_a_secret_that_is_no_login_is_one_line_that_does_not_show_it(
    monkeypatch: pytest.MonkeyPatch, answer: Mapping[str, object], what: str
) -> None:
    """A runner tells it and tries again: it may be set right while it runs."""
    keeper = SimpleNamespace(get_secret_value=lambda SecretId: answer)
    monkeypatch.setattr(cloud, "client", lambda *_: keeper)
    server = {"host": "127.0.0.1", "port": 1, "database": "d", "identifier": "i", "admin_secret": "arn:login"}
    with pytest.raises(FreeholdError) as refused:
        ways.control_database(contract(database={"tenants": server, "control": server}), {"PGSSLROOTCERT": "/dev/null"})
    assert refused.value.line() == f"arn:login: {what}; `./freehold up` of the cell writes it"
