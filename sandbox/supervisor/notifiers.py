"""The budget notifier of a sandbox and the catcher that it sends to: started once there is a cell, kept, stopped."""

from __future__ import annotations

from sandbox.processes.catcher.spec import NAME as CATCHER
from sandbox.processes.catcher.spec import catcher
from sandbox.processes.notifier import NAME, notifier
from sandbox.processes.site import Site
from sandbox.supervisor.definitions import DefinitionStore, NotifierDefinition
from sandbox.supervisor.locks import NameLocks
from sandbox.supervisor.messages import StartNotifier
from sandbox.supervisor.table import ProcessTable


class Notifiers:
    def __init__(self, site: Site, table: ProcessTable) -> None:
        self._site, self._table = site, table
        self._store = DefinitionStore(site.home, "notifiers", NotifierDefinition)
        self._locks = NameLocks()

    async def start(self, request: StartNotifier) -> None:
        """One with these settings serves when this returns."""
        definition = NotifierDefinition(name=NAME, complete=True, environment=request.environment)
        async with self._locks.of(NAME):
            kept = self._store.get(NAME)
            self._store.put(definition)
            if kept == definition and self._table.runs(NAME):
                await self._table[NAME].ready()
            else:
                await self._table.remove([NAME])
                await self._launch(definition)

    async def stop(self) -> None:
        async with self._locks.of(NAME):
            await self._table.remove([NAME, CATCHER])
            self._store.remove(NAME)

    async def resume(self) -> None:
        """Start the one that there was; call it when what it works with serves."""
        if (definition := self._store.get(NAME)) is not None:
            await self._launch(definition)

    async def _launch(self, definition: NotifierDefinition) -> None:
        if CATCHER not in self._table.names():
            await self._table.start([catcher(self._site)])
        await self._table.start([notifier(self._site, definition.environment)])
