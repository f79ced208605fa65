"""What clusters, databases and caches of a sandbox have in common: a name, a definition on disk, a life."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar, Generic, TypeVar

from sandbox.processes.site import Site
from sandbox.supervisor.definitions import Definition, DefinitionStore
from sandbox.supervisor.locks import NameLocks
from sandbox.supervisor.messages import SupervisorError
from sandbox.supervisor.table import ProcessTable

D = TypeVar("D", bound=Definition)
R = TypeVar("R")


class Instances(ABC, Generic[D, R]):
    """Instances of one kind: what a definition `D` says of each, and the record `R` that is told of it."""

    kind: ClassVar[str]

    def __init__(self, site: Site, table: ProcessTable, model: type[D]) -> None:
        self._site, self._table = site, table
        self._store = DefinitionStore(site.home, f"{self.kind}s", model)
        self._locks = NameLocks()

    def names(self) -> tuple[str, ...]:
        return tuple(definition.name for definition in self._store.all() if definition.complete)

    def get(self, name: str) -> R | None:
        definition = self._store.get(name)
        return self._record(definition) if definition and definition.complete else None

    async def delete(self, name: str) -> None:
        async with self._locks.of(name):
            if name in self._store:
                await self._discard(name)

    @asynccontextmanager
    async def _making(self, definition: D) -> AsyncIterator[None]:
        """Nobody else works with the name meanwhile, and what fails leaves nothing. Raises SupervisorError where there
        is one of that name."""
        async with self._locks.of(definition.name):
            if definition.name in self._store:
                raise SupervisorError("exists already", where=f"{self.kind} {definition.name}", reason="exists")
            self._store.put(definition)
            try:
                yield
            except BaseException:
                await self._discard(definition.name)
                raise

    async def _discard_half_made(self) -> None:
        """Remove what a kill left half made."""
        for definition in self._store.all():
            if not definition.complete:
                await self._discard(definition.name)

    def _require(self, name: str) -> D:
        """Raises SupervisorError where there is none of that name."""
        definition = self._store.get(name)
        if definition is None or not definition.complete:
            raise SupervisorError("does not exist", where=f"{self.kind} {name}", reason="missing")
        return definition

    @abstractmethod
    def _record(self, definition: D) -> R: ...

    @abstractmethod
    async def _discard(self, name: str) -> None:
        """Its processes, its ports and its data, as far as they are there."""
