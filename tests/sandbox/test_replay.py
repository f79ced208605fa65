"""A replay of the AWS endpoint's journal says which requests it answered otherwise than they were."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from sandbox.processes.aws.application import JournaledApplication, StartResponse
from sandbox.processes.aws.journal import Journal


class Counting:
    """Stands for moto: numbers what it makes, from `first` on."""

    def __init__(self, first: int = 1, *, refused: str | None = None) -> None:
        self.next, self.refused = first, refused

    def __call__(self, environ: Mapping[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        start_response("409 Conflict" if path == self.refused else "200 OK", [])
        if path != "/numbered":
            return [b"the same"]
        self.next += 1
        return [str(self.next - 1).encode()]


def request(path: str) -> dict[str, str]:
    return {"REQUEST_METHOD": "POST", "PATH_INFO": path}


def diverged(moto: Counting, journal: Path) -> list[int]:
    """As health tells it after a start."""
    application = JournaledApplication(moto, Journal(journal))
    assert application.replay() == 3
    report = json.loads(application.call({"REQUEST_METHOD": "GET", "PATH_INFO": "/freehold/health"}, b"")[1])
    numbers: list[int] = report["diverged"]
    return numbers


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Of three requests."""
    path = tmp_path / "journal.jsonl"
    application = JournaledApplication(Counting(), Journal(path))
    for each in ("/fixed", "/numbered", "/other"):
        application.call(request(each), b"")
    return path


def test_the_same_answers(journal: Path) -> None:
    assert diverged(Counting(), journal) == []


def test_another_body(journal: Path) -> None:
    assert diverged(Counting(first=7), journal) == [2]


def test_another_status(journal: Path) -> None:
    assert diverged(Counting(refused="/other"), journal) == [3]


def test_an_answer_that_was_kept_otherwise(journal: Path) -> None:
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    kept = next(line for line in lines if line.get("digest") and line["number"] == 1)
    kept["digest"] = "0" * 64
    journal.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert diverged(Counting(), journal) == [1]
