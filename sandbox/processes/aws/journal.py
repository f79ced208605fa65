"""The journal: every request that changed something, in order, so that a killed moto can be brought back exactly.

One JSON line before a request is carried out and one after it, so that a kill in between repeats it: as with AWS,
whoever got no answer does not know. Lines are written, not synced: what is written survives the death of the process,
and only a crash of the machine could lose the last of them.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.files import damaged

_BEGINS = b'{"number":'
"""Each line, and so one that was cut short."""


@dataclass(frozen=True)
class Entry:
    """One request: the CGI part of its WSGI environment, its body, and what decides what moto makes of it."""

    number: int
    moment: float
    """Unix time that moto is to see while it carries the request out."""
    seed: str
    """Of all random numbers that moto draws for it."""
    environ: Mapping[str, Any]
    body: bytes


@dataclass(frozen=True)
class Outcome:
    """What was answered: a replay must come to the same."""

    status: int
    digest: str


class Journal:
    """An append-only file (mode 0600: requests hold secrets)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        self._next = 1

    def entries(self) -> Iterator[tuple[Entry, Outcome | None]]:
        """Everything so far, oldest first. A last line that was cut short is cut off.

        Raises FreeholdError where the file holds something else, and leaves it as it is.
        """
        outcomes: dict[int, Outcome] = {}
        entries: list[Entry] = []
        whole = 0
        with open(self.path, "rb") as lines:
            for line in lines:
                if not line.startswith(_BEGINS[: len(line)]):
                    raise damaged(self.path)
                if not line.endswith(b"\n"):
                    break
                whole += len(line)
                try:
                    record = json.loads(line)
                    if "status" in record:
                        outcomes[record["number"]] = Outcome(record["status"], record["digest"])
                    else:
                        entries.append(_entry(record))
                except (ValueError, KeyError):
                    raise damaged(self.path) from None
        os.ftruncate(self._file, whole)
        self._next = entries[-1].number + 1 if entries else 1
        for entry in entries:
            yield entry, outcomes.get(entry.number)

    def begin(self, environ: Mapping[str, Any], body: bytes) -> Entry:
        """Keep a request that is about to be carried out. Raises OSError, and keeps nothing, when the disk is full."""
        entry = Entry(self._next, time.time(), os.urandom(16).hex(), environ, body)
        self._append(
            {
                "number": entry.number,
                "moment": entry.moment,
                "seed": entry.seed,
                "environ": dict(environ),
                "body": base64.b64encode(body).decode(),
            }
        )
        self._next += 1
        return entry

    def finish(self, entry: Entry, outcome: Outcome) -> None:
        # Without it the replay has nothing to compare with; the request itself is safe.
        with contextlib.suppress(OSError):
            self._append({"number": entry.number, "status": outcome.status, "digest": outcome.digest})

    def _append(self, record: Mapping[str, Any]) -> None:
        line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        before = os.fstat(self._file).st_size
        try:
            view = memoryview(line)
            while view:
                view = view[os.write(self._file, view) :]
        except OSError:
            os.ftruncate(self._file, before)
            raise


def _entry(record: Mapping[str, Any]) -> Entry:
    body = base64.b64decode(record["body"])
    return Entry(record["number"], record["moment"], record["seed"], record["environ"], body)
