"""One lock for each name, so that calls about one instance follow each other and others go on."""

from __future__ import annotations

import asyncio
from collections import defaultdict


class NameLocks:
    def __init__(self) -> None:
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def of(self, name: str) -> asyncio.Lock:
        return self._locks[name]
