"""What the AWS endpoint writes down before it does it, and what it makes of that when it starts again; without moto."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from sandbox.processes.aws.application import JournaledApplication, StartResponse
from sandbox.processes.aws.journal import Journal
from sandbox.processes.aws.mutations import changes_something

Environ = dict[str, str]


class Noting:
    """Stands for moto: notes what it is asked, and answers with how often that was."""

    def __init__(self, status: str = "200 OK") -> None:
        self.asked, self.status = list[str](), status

    def __call__(self, environ: Mapping[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        self.asked.append(environ["PATH_INFO"])
        start_response(self.status, [])
        return [str(len(self.asked)).encode()]


def post(path: str, invocation: str = "") -> Environ:
    mark = {"HTTP_AMZ_SDK_INVOCATION_ID": invocation} if invocation else {}
    return {"REQUEST_METHOD": "POST", "PATH_INFO": path, **mark}


def started(path: Path, moto: Noting) -> JournaledApplication:
    application = JournaledApplication(moto, Journal(path))
    application.replay()
    return application


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "aws" / "journal.jsonl"


def test_a_request_is_on_disk_before_it_is_carried_out(path: Path) -> None:
    class Killed(Noting):
        def __call__(self, environ: Mapping[str, Any], start_response: StartResponse) -> Iterable[bytes]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        started(path, Killed()).call(post("/one"), b"body")
    (begun,) = lines(path)
    assert begun["environ"]["PATH_INFO"] == "/one"
    assert path.stat().st_mode & 0o077 == 0, "requests hold secrets"
    moto = Noting()
    started(path, moto)
    assert moto.asked == ["/one"]
    assert [line["number"] for line in lines(path)] == [1, 1], "now it has an outcome"


def test_what_is_sent_again_is_done_once_also_after_a_restart(path: Path) -> None:
    for moto in (Noting(), Noting()):
        application = started(path, moto)
        assert application.call(post("/one", "call"), b"") == ("200 OK", b"1")
        assert application.call(post("/one", "call"), b"") == ("200 OK", b"1")
        assert moto.asked == ["/one"]


def test_a_failure_of_ours_may_be_tried_again(path: Path) -> None:
    application = started(path, moto := Noting("500 Internal Server Error"))
    for _ in range(2):
        application.call(post("/one", "call"), b"")
    assert moto.asked == ["/one", "/one"]


def test_numbers_go_on_after_a_restart(path: Path) -> None:
    for _ in range(3):
        started(path, Noting()).call(post("/one"), b"")
    assert [line["number"] for line in lines(path)] == [1, 1, 2, 2, 3, 3]


def test_a_line_that_was_cut_short_is_cut_off(path: Path) -> None:
    """Whoever sent it got no answer; what comes after it must stand on a line of its own."""
    started(path, Noting()).call(post("/one"), b"")
    with open(path, "ab") as file:
        file.write(b'{"number": 2, "mom')
    application = started(path, moto := Noting())
    application.call(post("/two"), b"")
    assert moto.asked == ["/one", "/two"]
    assert [line["number"] for line in lines(path)] == [1, 1, 2, 2]


def test_a_full_disk_refuses_and_leaves_no_part_of_a_line(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    application = started(path, moto := Noting())
    application.call(post("/one"), b"")
    really, room = os.write, [10]

    def full(file: int, content: bytes) -> int:
        if not room:
            raise OSError(28, "No space left on device")
        return really(file, content[: room.pop()])

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        assert application.call(post("/two"), b"")[0] == "507 Insufficient Storage"
    application.call(post("/three"), b"")
    assert moto.asked == ["/one", "/three"]
    assert [line["number"] for line in lines(path)] == [1, 1, 2, 2]


QUERY = {"REQUEST_METHOD": "POST", "CONTENT_TYPE": "application/x-www-form-urlencoded; charset=utf-8"}


@pytest.mark.parametrize(
    ("environ", "body", "kept"),
    [
        ({"REQUEST_METHOD": "GET"}, b"", False),
        ({"REQUEST_METHOD": "HEAD"}, b"", False),
        ({"REQUEST_METHOD": "PUT"}, b"", True),
        ({"REQUEST_METHOD": "DELETE"}, b"", True),
        (QUERY, b"Action=DescribeVpcs", False),
        (QUERY, b"Action=CreateVpc", True),
        (QUERY, b"Action=AllocateAddress", True),
        (QUERY, b"Action=GetSessionToken", True),  # reads by name, and makes credentials
        ({"REQUEST_METHOD": "GET", "QUERY_STRING": "Action=GetCallerIdentity"}, b"", False),
        ({"REQUEST_METHOD": "GET", "QUERY_STRING": "Action=AssumeRole"}, b"", True),
        ({"REQUEST_METHOD": "POST", "HTTP_X_AMZ_TARGET": "TrentService.DescribeKey"}, b'{"KeyId": "k"}', False),
        # KMS makes a key of AWS' own when it is first looked at.
        ({"REQUEST_METHOD": "POST", "HTTP_X_AMZ_TARGET": "TrentService.DescribeKey"}, b'"alias/aws/s3"', True),
        ({"REQUEST_METHOD": "POST", "HTTP_X_AMZ_TARGET": "AmazonSQS.ReceiveMessage"}, b"{}", True),
        ({"REQUEST_METHOD": "POST", "HTTP_X_AMZ_TARGET": "Service.OfAnyOtherName"}, b"{}", True),
    ],
)
def test_what_may_change_something_is_kept(environ: Environ, body: bytes, kept: bool) -> None:
    assert changes_something(environ, body) is kept
