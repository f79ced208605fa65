"""The create journal: what the stand-ins made, so that a create whose engine was killed can be imported.

The engine writes "creating X" to its state before it asks for X. Killed before the answer is in the state,
it cannot know whether X was made. The journal can: `pulumi refresh --import-pending-creates` takes the id.
"""

from __future__ import annotations

import sqlite3
import threading
import uuid
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from sandbox.files import damaged
from sandbox.home import Home
from sandbox.supervisor.pidfile import ProcessIdentity

_SCHEMA = """
CREATE TABLE IF NOT EXISTS creations (urn TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (urn, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS under_way (
    urn TEXT NOT NULL, host INTEGER NOT NULL, started REAL NOT NULL, serial TEXT NOT NULL, boot TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS told (serial TEXT PRIMARY KEY) WITHOUT ROWID;
"""

# `started` is in clock ticks since the boot: seconds since the epoch are moved whenever somebody sets the clock.
_HOST = "host, started, boot"

_CURRENT: ContextVar[Creation | None] = ContextVar("creation", default=None)


@dataclass(frozen=True)
class Creation:
    """A create that is under way. When its host is killed, the next create of that resource takes its serial over: the
    calls that both send are known to be the same, and are done once."""

    serial: str
    taken_over: bool = False
    """Whether its host was killed once: something of it may be there already."""
    _calls: Counter[str] = field(default_factory=Counter)

    def invocation(self, call: str) -> str:
        """The id of the next call of that content."""
        self._calls[call] += 1
        return str(uuid.uuid5(uuid.UUID(self.serial), f"{self._calls[call]} {call}"))


def current() -> Creation | None:
    """The create that this thread is at."""
    return _CURRENT.get()


class Creations:
    """One SQLite file below FREEHOLD_HOME; used by any number of threads and processes. Making one raises FreeholdError
    where the file is something else."""

    def __init__(self, home: Home) -> None:
        self.path: Path = home.data / "creations.sqlite"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        own = ProcessIdentity.own()
        self._host = (own.pid, own.start_ticks, own.boot_id)
        # Autocommit; WAL with NORMAL survives kill -9 of this process, which is what the journal is for.
        self._database = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=30)
        try:
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")
            self._database.executescript(_SCHEMA)
            self._add_boot()
        except sqlite3.DatabaseError as error:
            self._database.close()
            if isinstance(error, sqlite3.OperationalError):  # a full disk, a lock
                raise
            raise damaged(self.path) from None

    def _add_boot(self) -> None:
        """To a journal of an earlier release, whose hosts are gone."""
        if any(column[1] == "boot" for column in self._database.execute("PRAGMA table_info(under_way)")):
            return
        with suppress(sqlite3.OperationalError):  # another process was first
            self._database.execute("ALTER TABLE under_way ADD COLUMN boot TEXT NOT NULL DEFAULT ''")

    @contextmanager
    def attempt(self, urn: str) -> Iterator[None]:
        """Around a create: until it ends, `under_way` says so, also when the engine that asked for it is gone.

        Written before anything is made, so that a full disk refuses the create instead of losing its id.
        """
        with self._lock:
            left = self._left_by_a_killed_host(urn)
            serial = left or str(uuid.uuid4())
            insert = f"INSERT INTO under_way (urn, serial, {_HOST}) VALUES (?, ?, ?, ?, ?)"
            row = self._database.execute(insert, (urn, serial, *self._host)).lastrowid
        before = _CURRENT.set(Creation(serial, taken_over=left is not None))
        try:
            yield
        finally:
            _CURRENT.reset(before)
            with self._lock:
                self._database.execute("DELETE FROM under_way WHERE rowid = ?", (row,))

    def _left_by_a_killed_host(self, urn: str) -> str | None:
        rows = self._database.execute(f"SELECT rowid, serial, {_HOST} FROM under_way WHERE urn = ?", (urn,))
        for row, serial, *host in rows.fetchall():
            if not _runs(*host):
                self._database.execute("DELETE FROM under_way WHERE rowid = ?", (row,))
                return str(serial)
        return None

    def under_way(self, urn: str) -> bool:
        """Whether a living host is creating it now. What a killed host had begun is not."""
        with self._lock:
            rows = self._database.execute(f"SELECT {_HOST} FROM under_way WHERE urn = ?", (urn,)).fetchall()
        return any(_runs(*host) for host in rows)

    def cut_off(self, stack: str, project: str) -> tuple[str, ...]:
        """The URNs in a stack whose create died with its host and was not sent again, but for those that were told."""
        start = f"urn:pulumi:{stack}::{project}::"
        query = f"SELECT urn, {_HOST} FROM under_way WHERE serial NOT IN (SELECT serial FROM told) ORDER BY urn"
        with self._lock:
            rows = self._database.execute(query).fetchall()
        return tuple(str(urn) for urn, *host in rows if urn.startswith(start) and not _runs(*host))

    def tell(self, urns: Collection[str]) -> None:
        """A person knows that these were cut off. Sent again, they are still known to be the same."""
        with self._lock:
            for urn in urns:
                self._database.execute("INSERT OR IGNORE INTO told SELECT serial FROM under_way WHERE urn = ?", (urn,))

    def settle(self, urn: str) -> None:
        """A create that died with its host is in a state now: it will not be sent again."""
        with self._lock:
            self._left_by_a_killed_host(urn)

    def record(self, urn: str, id: str) -> None:
        """A resource with this URN was made under this id."""
        with self._lock:
            self._database.execute("INSERT OR REPLACE INTO creations VALUES (?, ?)", (urn, id))

    def forget(self, urn: str, id: str) -> None:
        """It was deleted."""
        with self._lock:
            self._database.execute("DELETE FROM creations WHERE urn = ? AND id = ?", (urn, id))

    def ids(self, urn: str) -> tuple[str, ...]:
        """The ids that exist under this URN: two while a replacement's old resource still stands."""
        with self._lock:
            rows = self._database.execute("SELECT id FROM creations WHERE urn = ? ORDER BY id", (urn,)).fetchall()
        return tuple(str(row[0]) for row in rows)

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def __enter__(self) -> Creations:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _runs(pid: int, start_ticks: float, boot_id: str) -> bool:
    """Whether that very process lives: its pid may have gone to another since."""
    return ProcessIdentity(pid=pid, start_ticks=int(start_ticks), boot_id=boot_id).is_alive()
