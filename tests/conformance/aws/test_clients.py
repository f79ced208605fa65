"""Provider instances of one access share botocore's clients, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.providers.aws import api as module
from sandbox.providers.aws import clients
from sandbox.providers.aws.api import Api
from sandbox.providers.aws.clients import Access
from sandbox.providers.interface import ProviderError
from tests.raw_answers import answering, head

BODY = b'{"cluster": {"name": "main"}}'
WHOLE = head(len(BODY), "application/json") + BODY
HERE = Access("us-east-1", "key", "secret", endpoint="http://127.0.0.1:1")


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "_shared", type(clients._shared)())


@pytest.fixture
def first() -> Iterator[Api]:
    api = Api(HERE, {})
    yield api
    api.close()


def test_two_instances_of_one_access_have_one_client(first: Api) -> None:
    assert Api(HERE, {}).client("sts") is first.client("sts")


@pytest.mark.parametrize(
    "other",
    [
        Access("eu-west-1", "key", "secret", endpoint=HERE.endpoint),
        Access("us-east-1", "key2", "secret", endpoint=HERE.endpoint),
        Access("us-east-1", "key", "secret2", endpoint=HERE.endpoint),
        Access("us-east-1", "key", "secret", token="session", endpoint=HERE.endpoint),
        Access("us-east-1", "key", "secret", endpoint="http://127.0.0.1:2"),
        Access("us-east-1", "key", "secret", endpoint=HERE.endpoint, endpoints=(("sts", "http://127.0.0.1:3"),)),
    ],
    ids=["region", "key", "secret", "token", "endpoint", "endpoint of a service"],
)
def test_another_access_has_clients_of_its_own(first: Api, other: Access) -> None:
    assert Api(other, {}).client("sts") is not first.client("sts")


def test_credentials_from_a_file_are_read_each_time() -> None:
    """It may say something else by then."""
    unsettled = Access("us-east-1", None, None, endpoint=HERE.endpoint)
    assert Api(unsettled, {})._clients is not Api(unsettled, {})._clients


def test_one_instance_s_end_closes_no_other_s_connections(first: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    second = Api(HERE, {})
    closed = []
    monkeypatch.setattr(first.client("sts"), "close", lambda: closed.append("sts"))
    second.close()
    second.close()  # twice is once
    assert closed == []
    first.close()
    assert closed == ["sts"]


def test_clients_that_hung_up_are_used_again() -> None:
    with answering([WHOLE, WHOLE]) as server:
        access = Access("us-east-1", "key", "secret", endpoint=server.url)
        used = []
        for _ in range(2):
            api = Api(access, {})
            assert api.call("eks", "describe_cluster", name="main")["cluster"] == {"name": "main"}
            used.append(api.client("eks"))
            api.close()
        assert used[0] is used[1]


def test_after_the_endpoint_was_gone_the_next_instance_has_new_ones(
    first: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """botocore takes a retry out of a client's store for each failure, and an outage empties it."""
    monkeypatch.setattr(module, "_RESTART_SECONDS", 0.0)
    with pytest.raises(ProviderError, match="Could not connect to the endpoint URL"):
        first.call("sts", "get_caller_identity")
    second = Api(HERE, {})
    assert second.client("sts") is not first.client("sts")
    assert Api(HERE, {}).client("sts") is second.client("sts")


def test_what_nobody_uses_is_kept_for_a_few_only() -> None:
    for number in range(2 * clients._KEPT):
        Api(Access("us-east-1", f"key{number}", "secret", endpoint=HERE.endpoint), {}).close()
    assert [access.access_key for access in clients._shared] == [
        f"key{number}" for number in range(clients._KEPT, 2 * clients._KEPT)
    ]


def test_a_secret_is_not_shown() -> None:
    assert "secret" not in repr(Access("us-east-1", "key", "secret", "token-secret"))
