"""Answers that the AWS endpoint did not finish, because it was killed while it gave them."""

from __future__ import annotations

import re

import pytest

from sandbox.providers.aws import api as module
from sandbox.providers.aws.api import Api
from sandbox.providers.aws.clients import Access
from sandbox.providers.interface import ProviderError
from tests.raw_answers import Answering, answering, head

BODY = b'{"cluster": {"name": "main"}}'
HEAD = head(len(BODY), "application/json")


def api_of(server: Answering) -> Api:
    return Api(Access("us-east-1", "key", "secret", endpoint=server.url), {})


@pytest.mark.parametrize("cut", [HEAD, HEAD + BODY[:9]], ids=["before its body", "in its body"])
def test_one_that_was_cut_off_is_asked_for_again_as_the_same_call(cut: bytes) -> None:
    with answering([cut, HEAD + BODY]) as server:
        assert api_of(server).call("eks", "describe_cluster", name="main")["cluster"] == {"name": "main"}
    invocations = [re.findall(r"^amz-sdk-invocation-id: (\S+)", asked, re.MULTILINE) for asked in server.asked]
    assert len(invocations) == 2
    assert len(invocations[0]) == 1 and invocations[0] == invocations[1]


def test_one_that_is_never_whole_is_given_up_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RESTART_SECONDS", 0.0)
    with (
        answering([HEAD]) as server,
        pytest.raises(ProviderError, match=r"^eks describe_cluster: Connection was closed .*eks DescribeCluster"),
    ):
        api_of(server).call("eks", "describe_cluster", name="main")


def test_the_answer_to_a_head_has_no_body() -> None:
    with answering([HEAD]) as server:
        assert api_of(server).call("s3", "head_object", Bucket="bucket", Key="key")["ContentLength"] == len(BODY)
