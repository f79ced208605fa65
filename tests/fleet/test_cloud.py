"""Clients of a cloud: whose credentials they take, what of their failures may pass, and answers that were cut off."""

from __future__ import annotations

from pathlib import Path

import pytest
from botocore import exceptions

import whole_answers
from fleet.cloud import client, code_may_pass, may_pass
from tests.raw_answers import answering, head

KEYS = {"AWS_ACCESS_KEY_ID": "of-the-engine", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}


def test_it_takes_the_engines_credentials_and_not_those_of_this_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = tmp_path / "credentials"
    kept.write_text("[of-a-person]\naws_access_key_id = of-a-person\naws_secret_access_key = s\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(kept))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-this-process")
    monkeypatch.setenv("AWS_PROFILE", "of-nobody")

    def found(environment: dict[str, str]) -> tuple[str, str | None]:
        credentials = client("sts", "us-east-1", environment)._request_signer._credentials
        return credentials.access_key, credentials.token

    assert found(KEYS) == ("of-the-engine", "t")
    assert found({**KEYS, "AWS_PROFILE": "of-nobody"}) == ("of-the-engine", "t")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert found({"AWS_PROFILE": "of-a-person"}) == ("of-a-person", None)


def test_each_call_is_bounded_and_no_proxy_is_between_it_and_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with answering([head(0, "text/xml")]) as server:
        made = client("s3", "us-east-1", {**KEYS, "AWS_ENDPOINT_URL": server.url})
        made.head_bucket(Bucket="b")
    config = made.meta.config
    assert (config.connect_timeout, config.read_timeout) == (5, 20)
    assert client("s3", "us-east-1", KEYS).meta.config.proxies is None


def answered(code: str, status: int = 400) -> exceptions.ClientError:
    response = {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return exceptions.ClientError(response, "ListBuckets")


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (exceptions.EndpointConnectionError(endpoint_url="https://s3"), True),
        (exceptions.ReadTimeoutError(endpoint_url="https://s3"), True),
        (exceptions.HTTPClientError(error="broken"), True),
        (whole_answers.CutShort(endpoint_url="s3 ListBuckets"), True),
        (answered("InternalError", 500), True),
        (answered("ServiceUnavailable", 503), True),
        (answered("Throttling"), True),
        (answered("SlowDown"), True),
        (answered("AccessDenied", 403), False),
        (answered("NoSuchBucket", 404), False),
        (exceptions.NoCredentialsError(), False),
    ],
    ids=str,
)
def test_what_may_pass(error: Exception, passes: bool) -> None:
    assert may_pass(error) is passes


def test_codes_of_one_thing_among_many() -> None:
    assert code_may_pass("InternalError") and code_may_pass("SlowDown")
    assert not code_may_pass("AccessDenied")


def test_an_answer_that_was_cut_off_is_no_empty_one() -> None:
    listing = b"<ListAllMyBucketsResult><Buckets></Buckets></ListAllMyBucketsResult>"
    for came in (b"", listing[:30]):
        with answering([head(len(listing), "text/xml") + came]) as server:
            made = client("s3", "us-east-1", {**KEYS, "AWS_ENDPOINT_URL": server.url})
            with pytest.raises(exceptions.BotoCoreError) as raised:
                made.list_buckets()
        assert may_pass(raised.value)


def test_what_is_only_told_of_is_not_cut_off() -> None:
    """The length in an answer to HEAD is what a GET would give."""
    with answering([head(1000, "text/plain")]) as server:
        made = client("s3", "us-east-1", {**KEYS, "AWS_ENDPOINT_URL": server.url})
        assert made.head_object(Bucket="b", Key="k")["ContentLength"] == 1000
