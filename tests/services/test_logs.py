"""The services' log lines."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from services import logs


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers, root.level
    output = io.StringIO()
    logs.configure("tested", stream=output)
    yield output
    root.handlers, root.level = before, level
    structlog.reset_defaults()


def _lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_service_level_and_time(stream: io.StringIO) -> None:
    logs.logger("here").info("stored", event_id="e1")
    (line,) = _lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"message": "stored", "event_id": "e1", "service": "tested", "level": "info", "logger": "here"}


def test_the_correlation_id_is_on_every_line_within_and_on_none_after(stream: io.StringIO) -> None:
    log = logs.logger("here")
    with logs.correlated("c-1"):
        log.info("first")
        logging.getLogger("a.library").warning("second of %d", 2)
    log.info("third")
    assert [(line["message"], line.get("correlation_id")) for line in _lines(stream)] == [
        ("first", "c-1"),
        ("second of 2", "c-1"),
        ("third", None),
    ]


def test_an_exception_is_one_line(stream: io.StringIO) -> None:
    try:
        raise ValueError("wrong")
    except ValueError:
        logs.logger("here").exception("failed")
    (line,) = _lines(stream)
    assert "ValueError: wrong" in line["exception"]
