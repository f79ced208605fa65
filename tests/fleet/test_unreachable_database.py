"""A control database that does not answer: what is advised is of the place where it is."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping

import pytest

from errors import TransientError
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
