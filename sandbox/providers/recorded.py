"""The store of recorded resources: validated, kept, diffed and listed, but with no service behind them."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS resources (
    type TEXT NOT NULL, id TEXT NOT NULL, urn TEXT NOT NULL, inputs TEXT NOT NULL, outputs TEXT NOT NULL,
    PRIMARY KEY (type, id)
) WITHOUT ROWID
"""


@dataclass(frozen=True)
class Record:
    """One recorded resource; `inputs` and `outputs` are plain JSON values."""

    type: str
    id: str
    urn: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]


class RecordedStore:
    """A SQLite file in write-ahead mode: readers in other processes never block and never see half a write.

    Each call opens its own connection, so one store may be shared by threads.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        if not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_CREAT | os.O_WRONLY, 0o600))  # inputs may hold secrets
        connection = sqlite3.connect(self.path, timeout=30)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(_SCHEMA)
            with connection:
                yield connection
        finally:
            connection.close()

    def put(self, type: str, id: str, urn: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
        """Keeps a resource, in place of what had this type and id."""
        with self._connection() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO resources VALUES (?, ?, ?, ?, ?)",
                (type, id, urn, json.dumps(inputs, sort_keys=True), json.dumps(outputs, sort_keys=True)),
            )

    def add(self, type: str, id: str, urn: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> bool:
        """Keeps a new resource; False, and nothing changed, where this type and id is there already."""
        with self._connection() as connection:
            done = connection.execute(
                "INSERT OR IGNORE INTO resources VALUES (?, ?, ?, ?, ?)",
                (type, id, urn, json.dumps(inputs, sort_keys=True), json.dumps(outputs, sort_keys=True)),
            )
            return done.rowcount == 1

    def get(self, type: str, id: str) -> Record | None:
        with self._connection() as connection:
            row = connection.execute("SELECT * FROM resources WHERE type = ? AND id = ?", (type, id)).fetchone()
        return _record(row) if row else None

    def list(self, type: str | None = None) -> list[Record]:
        """Every resource of a type, or all, in order of type and id."""
        where, values = ("WHERE type = ?", (type,)) if type else ("", ())
        with self._connection() as connection:
            rows = connection.execute(f"SELECT * FROM resources {where} ORDER BY type, id", values).fetchall()
        return [_record(row) for row in rows]

    def delete(self, type: str, id: str) -> bool:
        """False where it was gone already."""
        with self._connection() as connection:
            return connection.execute("DELETE FROM resources WHERE type = ? AND id = ?", (type, id)).rowcount == 1


def _record(row: tuple[str, str, str, str, str]) -> Record:
    return Record(row[0], row[1], row[2], json.loads(row[3]), json.loads(row[4]))
