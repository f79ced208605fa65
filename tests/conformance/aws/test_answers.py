"""Answers that the AWS endpoint did not finish, because it was killed while it gave them."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from sandbox.providers.aws import api as module
from sandbox.providers.aws.api import Api
from sandbox.providers.interface import ProviderError

BODY = b'{"cluster": {"name": "main"}}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(
    BODY
)


@contextmanager
def answering(answers: Sequence[bytes]) -> Iterator[tuple[Api, list[str]]]:
    """An API whose endpoint gives these answers, each on a connection of its own; and the invocations that came."""
    invocations: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for answer in answers:
                connection, _ = server.accept()
                with connection:
                    asked = connection.recv(65536).decode()
                    invocations.extend(re.findall(r"^amz-sdk-invocation-id: (\S+)", asked, re.MULTILINE))
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
        yield (
            Api(region="us-east-1", access_key="key", secret_key="secret", endpoint=endpoint, operations={}),
            invocations,
        )
        thread.join(10)
    assert not thread.is_alive(), "it was asked less often"


@pytest.mark.parametrize("cut", [HEAD, HEAD + BODY[:9]], ids=["before its body", "in its body"])
def test_one_that_was_cut_off_is_asked_for_again_as_the_same_call(cut: bytes) -> None:
    with answering([cut, HEAD + BODY]) as (api, invocations):
        assert api.call("eks", "describe_cluster", name="main")["cluster"] == {"name": "main"}
    assert len(invocations) == 2
    assert len(set(invocations)) == 1


def test_one_that_is_never_whole_is_given_up_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RESTART_SECONDS", 0.0)
    with (
        answering([HEAD]) as (api, _),
        pytest.raises(ProviderError, match=r"^eks describe_cluster: Connection was closed .*eks DescribeCluster"),
    ):
        api.call("eks", "describe_cluster", name="main")


def test_the_answer_to_a_head_has_no_body() -> None:
    with answering([HEAD]) as (api, _):
        assert api.call("s3", "head_object", Bucket="bucket", Key="key")["ContentLength"] == len(BODY)
