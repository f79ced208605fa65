"""A presigned request to STS is as good as its signature, its age and its key; no endpoint is started for it."""

from __future__ import annotations

import datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from sandbox.processes.aws import presigned

KEY, SECRET = "AKIAEXAMPLE", "right-and-long-right-and-long-right-and-"


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[str, str | None]]:
    """Of IAM and STS: secret and session token by id."""
    known: dict[str, tuple[str, str | None]] = {KEY: (SECRET, None), "ASIAEXAMPLE": (SECRET, "session")}
    monkeypatch.setattr(presigned, "_credentials", lambda name: known.get(name, (None, None)))
    return known


def signed(minutes_ago: float = 0, **credentials: str) -> dict[str, Any]:
    """The request as WSGI has it."""
    login = Credentials(**{"access_key": KEY, "secret_key": SECRET, **credentials})
    url = "http://127.0.0.1:4566/?Action=GetCallerIdentity&Version=2011-06-15"
    request = AWSRequest("GET", url, headers={"x-k8s-aws-id": "first"})
    moment = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=minutes_ago)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("botocore.auth.get_current_datetime", lambda *_, **__: moment.replace(tzinfo=None))
        SigV4QueryAuth(login, "sts", "us-east-1", expires=60).add_auth(request)
    return {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/",
        "QUERY_STRING": urlsplit(request.url).query,
        "HTTP_HOST": "127.0.0.1:4566",
        "HTTP_X_K8S_AWS_ID": "first",
    }


def refusal(environ: dict[str, Any]) -> str:
    """The code that it is refused with; empty where it is let through."""
    refused = presigned.refuse(environ)
    return "" if refused is None else refused[2].decode().partition("<Code>")[2].partition("</Code>")[0]


def test_what_is_signed_now_by_a_key_that_is_known_is_let_through() -> None:
    assert refusal(signed()) == ""
    assert refusal(signed(access_key="ASIAEXAMPLE", token="session")) == ""


@pytest.mark.parametrize(("minutes", "code"), [(14, ""), (16, "ExpiredToken"), (-4, ""), (-6, "ExpiredToken")])
def test_it_is_good_for_fifteen_minutes_by_a_clock_that_is_five_off(minutes: float, code: str) -> None:
    assert refusal(signed(minutes)) == code


def test_a_key_that_is_not_known_or_of_another_session_is_refused() -> None:
    for key, token in (("AKIAOTHER", None), ("ASIAEXAMPLE", None), (KEY, "session"), ("ASIAEXAMPLE", "another")):
        told = signed(access_key=key) if token is None else signed(access_key=key, token=token)
        assert refusal(told) == "InvalidClientTokenId"


def test_whatever_is_changed_of_it_the_signature_is_another_one() -> None:
    assert refusal(signed(secret_key="wrong")) == "SignatureDoesNotMatch"
    environ = signed()
    query = environ["QUERY_STRING"]
    for changed in (
        {"REQUEST_METHOD": "POST"},
        {"PATH_INFO": "/other"},
        {"HTTP_HOST": "127.0.0.1:4567"},
        {"HTTP_X_K8S_AWS_ID": "second"},
        {"QUERY_STRING": query.replace("GetCallerIdentity", "GetSessionToken")},
        {"QUERY_STRING": query.replace("us-east-1", "us-east-2")},
        {"QUERY_STRING": f"{query}&UserName=eve"},
        {"QUERY_STRING": query.partition("&X-Amz-Signature=")[0]},
    ):
        assert refusal({**environ, **changed}) == "SignatureDoesNotMatch", changed


def test_what_is_no_such_request_is_moto_s_alone() -> None:
    environ = signed(secret_key="wrong")
    assert refusal(environ)
    assert refusal({**environ, "QUERY_STRING": environ["QUERY_STRING"].replace("%2Fsts%2F", "%2Fs3%2F")}) == ""
    assert refusal({**environ, "HTTP_AUTHORIZATION": "AWS4-HMAC-SHA256 ..."}) == ""


def test_a_key_that_was_made_inactive_and_a_session_that_has_ended_have_no_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    from moto.iam.models import iam_backends
    from moto.sts.models import sts_backends

    account = "555555555555"
    iam = iam_backends[account]["aws"]
    iam.create_user("us-east-1", "eve")
    key = iam.create_access_key("eve")
    assert presigned._credentials(key.access_key_id) == (key.secret_access_key, None)
    iam.update_access_key("eve", key.access_key_id, status="Inactive")
    assert presigned._credentials(key.access_key_id) == (None, None)

    role = f"arn:aws:iam::{account}:role/deployer"
    sts = sts_backends[account]["aws"]
    session = sts.assume_role("us-east-1", "eve", role, "", 900, "")
    assert presigned._credentials(session.access_key_id) == (session.secret_access_key, session.session_token)
    session.expiration = datetime.datetime(2026, 1, 1)
    assert presigned._credentials(session.access_key_id) == (None, None)
