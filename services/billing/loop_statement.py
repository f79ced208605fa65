"""One statement, executed from an event loop: neither a thread nor the loop has to wake the other.

On libpq, as the loop is told of its socket. The one outcome it knows is that the statement is committed. Where that
cannot be told, whatever the reason, the connection is given up, and whoever asked goes another way.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.pq import DiagnosticField, ExecStatus, Format, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult

from services.logs import logger

_log = logger(__name__)

_NAME = b"from_loop"
_PAUSE_SECONDS = 1.0
"""After trouble, before another connection is made."""
_ANSWER_SECONDS = 8.0
"""Then it is not waited for any longer. The server itself ends a statement after five."""

Done = Callable[[Sequence[bytes] | None], None]
"""Told the rows' first column when the statement is committed, and None where that cannot be told."""


class _NotCommitted(Exception):
    """By its SQLSTATE alone: the server's text may quote the values."""


@dataclass(frozen=True)
class _Way:
    connection: psycopg.Connection[tuple[Any, ...]]
    socket: int
    """libpq closes it by itself where the other side did, and does not tell its number any more."""
    until: float

    @property
    def pg(self) -> PGconn:
        return self.connection.pgconn


class LoopStatement:
    """Of `loop`, in which all its methods are called. One at a time, on a connection of its own."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        engine: sa.Engine,
        statement: bytes,
        formats: Sequence[Format],
        *,
        connection_seconds: float,
    ) -> None:
        """`engine` makes the connections; each serves for so many seconds."""
        self.loop = loop
        self._engine, self._statement, self._formats = engine, statement, formats
        self._connection_seconds = connection_seconds
        self._way: _Way | None = None
        self._done: Done | None = None
        self._limit: asyncio.TimerHandle | None = None
        self._results: list[PGresult] = []
        self._sending = self._connecting = self._closed = False
        self._not_before = 0.0

    def begin(self, values: Sequence[bytes], done: Done) -> bool:
        """Whether it was sent: `done` is told later what became of it. Where there is no connection one is made."""
        assert self._done is None
        way = self._usable()
        if way is None:
            return False
        try:
            # Again: libuv tells once that a socket was reset, watches it no more, and refuses from then on.
            self.loop.add_reader(way.socket, self._step)
            way.pg.send_query_prepared(_NAME, values, self._formats)
            self._flush(way)
            if not way.pg.is_busy():
                raise psycopg.OperationalError("the connection ended before")  # which libpq finds as it sends
        except Exception as error:
            self._give_up(error)
            return False
        self._done, self._results = done, []
        self._limit = self.loop.call_later(_ANSWER_SECONDS, self._give_up, TimeoutError("no answer came"))
        return True

    def close(self) -> None:
        """Nobody is told what becomes of what is under way. Also when the loop has ended."""
        self._closed = True
        self._done = None
        self._finish(None)
        self._leave()

    def _usable(self) -> _Way | None:
        now = self.loop.time()
        if self._way is not None and now >= self._way.until:
            self._leave()
        if self._way is None and not self._connecting and not self._closed and now >= self._not_before:
            # It may take seconds. Of its own, as a loop that ends waits for its executor's.
            thread = threading.Thread(target=self._connect, name="loop-statement", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # too many threads, for now
                self._give_up(error)
            else:
                self._connecting = True
        return self._way

    def _connect(self) -> None:
        connection = None
        try:
            connection = _prepared(self._engine, self._statement)
        except Exception as error:
            _log.warning("loop-statement-not-connected", detail=_line(error))
        try:
            self.loop.call_soon_threadsafe(self._connected, connection)
        except RuntimeError:  # the loop has ended
            if connection is not None:
                connection.close()

    def _connected(self, connection: psycopg.Connection[tuple[Any, ...]] | None) -> None:
        self._connecting = False
        if connection is None:
            self._not_before = self.loop.time() + _PAUSE_SECONDS
        elif self._closed or connection.closed:
            connection.close()
        else:
            self._way = _Way(connection, connection.pgconn.socket, self.loop.time() + self._connection_seconds)
            self.loop.add_reader(self._way.socket, self._step)

    def _flush(self, way: _Way) -> None:
        """Send what the socket takes; the loop tells when it takes more."""
        left = way.pg.flush() != 0
        if left and not self._sending:
            self.loop.add_writer(way.socket, self._step)
        elif self._sending and not left:
            self.loop.remove_writer(way.socket)
        self._sending = left

    def _step(self) -> None:
        """The socket has something, or takes something."""
        if (way := self._way) is None:
            return
        try:
            way.pg.consume_input()
            self._flush(way)
            # Until it is ready for the next statement: a transaction can fail at its end, when its rows were told.
            while True:
                if way.pg.is_busy():
                    return
                if (result := way.pg.get_result()) is None:
                    break
                if result.status != ExecStatus.TUPLES_OK:
                    raise _NotCommitted(_state(result))  # at once: nothing may come after it, nor the connection's end
                self._results.append(result)
            if way.connection.closed:
                raise psycopg.OperationalError("the connection is lost")
            if self._done is None:
                return  # the server told something of itself, as that a setting has changed
            rows = _committed(way.pg, self._results)
        except Exception as error:
            self._give_up(error)
            return
        self._finish(rows)

    def _give_up(self, error: Exception) -> None:
        _log.warning("loop-statement-given-up", detail=_line(error))
        self._not_before = self.loop.time() + _PAUSE_SECONDS
        self._leave()
        self._finish(None)

    def _finish(self, rows: Sequence[bytes] | None) -> None:
        if self._limit is not None:
            self._limit.cancel()
        done, self._done, self._limit, self._results = self._done, None, None, []
        if done is not None:
            done(rows)

    def _leave(self) -> None:
        if self._way is None:
            return
        way, self._way, self._sending = self._way, None, False
        self.loop.remove_reader(way.socket)
        self.loop.remove_writer(way.socket)
        with suppress(psycopg.Error):
            way.connection.close()


def _prepared(engine: sa.Engine, statement: bytes) -> psycopg.Connection[tuple[Any, ...]]:
    """A new connection that no pool counts, with the statement."""
    pooled = engine.raw_connection()
    connection = pooled.driver_connection
    assert isinstance(connection, psycopg.Connection)
    pooled.detach()
    try:
        result = connection.pgconn.prepare(_NAME, statement)
        if result.status != ExecStatus.COMMAND_OK:
            raise _NotCommitted(_state(result))
        connection.pgconn.nonblocking = 1
    except BaseException:
        connection.close()
        raise
    return connection


def _committed(pg: PGconn, results: Sequence[PGresult]) -> Sequence[bytes]:
    """The rows' first column. Raises _NotCommitted."""
    if len(results) != 1 or pg.transaction_status != TransactionStatus.IDLE:
        raise _NotCommitted(f"{len(results)} results, {TransactionStatus(pg.transaction_status).name}")
    return [results[0].get_value(row, 0) or b"" for row in range(results[0].ntuples)]


def _state(result: PGresult) -> str:
    return (result.error_field(DiagnosticField.SQLSTATE) or b"no SQLSTATE").decode()


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
