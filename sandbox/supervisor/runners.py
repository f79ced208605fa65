"""The runners of a sandbox, one for each cell whose platform was built: started, kept, replaced, stopped."""

from __future__ import annotations

import asyncio

from sandbox.processes.runner import KIND, runner, runner_name
from sandbox.processes.site import Site
from sandbox.supervisor.definitions import DefinitionStore, RunnerDefinition
from sandbox.supervisor.locks import NameLocks
from sandbox.supervisor.messages import StartRunner
from sandbox.supervisor.table import ProcessTable


class Runners:
    def __init__(self, site: Site, table: ProcessTable) -> None:
        self._site, self._table = site, table
        self._store = DefinitionStore(site.home, "runners", RunnerDefinition)
        self._locks = NameLocks()

    async def start(self, request: StartRunner) -> None:
        """One of that version runs when this returns; one of another, or one that was given up, is replaced."""
        definition = RunnerDefinition(name=request.cell, version=request.version, complete=True)
        async with self._locks.of(request.cell):
            kept = self._store.get(request.cell)
            self._store.put(definition)
            if kept == definition and self._table.runs(runner_name(request.cell)):
                await self._table[runner_name(request.cell)].ready()
                return
            await self._end(request.cell)
            await self._launch(request.cell)

    async def stop(self, cell: str) -> None:
        async with self._locks.of(cell):
            await self._end(cell)
            self._store.remove(cell)

    async def resume(self) -> None:
        """Start those that there were, once what they work with serves. Raises the first failure, when all have begun:
        one that is given up keeps no other cell from its runner."""
        launching = (self._launch(definition.name) for definition in self._store.all())
        for outcome in await asyncio.gather(*launching, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def _end(self, cell: str) -> None:
        await self._table.remove([runner_name(cell)])
        # Nobody remembers where it was, and another program may take the place.
        self._site.ports.forget(runner_name(cell))

    async def _launch(self, cell: str) -> None:
        self._site.ports.leave_taken(runner_name(cell))
        others = [one.spec.name for one in self._table.processes() if one.spec.kind != KIND]
        await self._table.start([runner(self._site, cell, others)])
