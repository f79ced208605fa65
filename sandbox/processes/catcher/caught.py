"""What the sandbox's sinks were sent: one file of JSON lines, mode 0600, under FREEHOLD_HOME."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from sandbox.files import unreadable
from sandbox.home import Home

Sink = Literal["webhook", "slack", "mail"]


class Caught(BaseModel):
    """One thing that arrived."""

    model_config = ConfigDict(frozen=True)

    sink: Sink
    at: str
    """ISO 8601, UTC."""
    headers: dict[str, str]
    body: str

    @property
    def summary(self) -> str:
        """One line for people."""
        if self.sink == "mail":
            return self.headers.get("Subject", "")
        try:
            content = json.loads(self.body)
            if self.sink == "slack":
                return str(content["text"]).replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&")
            data = content["data"]
            return f"{content['type']} {data['budget']} {data['spent']} ({data['threshold']}, {data['period']})"
        except (ValueError, KeyError, TypeError):
            return self.body[:100]


def path(home: Home) -> Path:
    return home.data / "caught.jsonl"


def keep(home: Home, one: Caught) -> None:
    file = os.open(path(home), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        # A single write: lines of several threads do not mix.
        os.write(file, one.model_dump_json().encode() + b"\n")
    finally:
        os.close(file)


def read(home: Home) -> Sequence[Caught]:
    """Oldest first."""
    try:
        lines = path(home).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise unreadable(path(home), error) from None
    return [Caught.model_validate_json(line) for line in lines]
