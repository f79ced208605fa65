"""The socket at which the supervisor is asked: made anew where somebody removed it, as those do who clean up /tmp."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from errors import FreeholdError

_log = logging.getLogger(__name__)

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Door:
    """`place` makes the socket's folder and returns its path. Raises FreeholdError where that cannot be."""

    def __init__(self, place: Callable[[], Path], serve: Serve, limit: int) -> None:
        self._place, self._serve, self._limit = place, serve, limit
        self._server: asyncio.Server | None = None
        self._path: Path | None = None
        self._made: os.stat_result | None = None
        self._closed = False

    async def open(self) -> None:
        """What lies there is a killed supervisor's: whoever calls this holds the lock."""
        path = self._place()
        path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._serve, path, limit=self._limit)
        path.chmod(0o600)
        if self._server is not None:
            self._server.close()
        self._server, self._path, self._made = server, path, path.stat()
        if self._closed:
            self.close()

    async def keep_open(self) -> None:
        """Open it again where it is lost; where that fails, the next look tries again."""
        if self._closed or self._is_there():
            return
        try:
            await self.open()
            _log.warning("%s was removed; made anew", self._path)
        except (FreeholdError, OSError) as error:
            _log.error("%s was removed and cannot be made anew: %s", self._path, error)

    def close(self) -> None:
        """After the home was removed, another supervisor's may lie there, which stays."""
        self._closed = True
        if self._path is not None and self._is_there():
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()
        if self._server is not None:
            self._server.close()

    def _is_there(self) -> bool:
        if self._path is None or self._made is None:
            return False
        try:
            return os.path.samestat(self._path.stat(), self._made)
        except (FileNotFoundError, NotADirectoryError):
            return False
