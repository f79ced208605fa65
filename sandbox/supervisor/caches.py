"""The Redis servers of a sandbox: made, found, given users, deleted, and started again."""

from __future__ import annotations

import asyncio
import secrets

from sandbox.processes.redis import RedisServer, acl_lines, applied
from sandbox.processes.site import Site
from sandbox.supervisor.definitions import CacheDefinition
from sandbox.supervisor.instances import Instances
from sandbox.supervisor.messages import Cache, CreateCache, SetCacheUsers, UpdateCache
from sandbox.supervisor.table import ProcessTable


class Caches(Instances[CacheDefinition, Cache]):
    kind = "cache"

    def __init__(self, site: Site, table: ProcessTable) -> None:
        super().__init__(site, table, CacheDefinition)

    async def create(self, request: CreateCache) -> Cache:
        applied(request.parameters)
        definition = CacheDefinition(
            name=request.identifier,
            parameters=request.parameters,
            supervisor_password=secrets.token_urlsafe(32),
            users={},
        )
        async with self._making(definition):
            await self._table.start([self._server(definition).spec()])
            self._store.put(definition.model_copy(update={"complete": True}))
        return self._record(definition)

    async def set_users(self, request: SetCacheUsers) -> Cache:
        users = acl_lines(request.users)
        async with self._locks.of(request.identifier):
            definition = self._require(request.identifier)
            await asyncio.to_thread(self._server(definition).set_users, users)
            changed = definition.model_copy(update={"users": users})
            self._store.put(changed)
            self._table.redefine(self._server(changed).spec())
            return self._record(changed)

    async def update(self, request: UpdateCache) -> Cache:
        applied(request.parameters)
        async with self._locks.of(request.identifier):
            definition = self._require(request.identifier)
            changed = definition.model_copy(update={"parameters": dict(request.parameters)})
            if changed.parameters == definition.parameters:
                return self._record(definition)
            try:
                await self._table.replace(self._server(changed).spec())
            except BaseException:
                await self._table.replace(self._server(definition).spec())
                raise
            self._store.put(changed)
            return self._record(changed)

    async def resume(self) -> None:
        """Start what was there when the sandbox ended; remove what a kill left half made."""
        await self._discard_half_made()
        await self._table.start([self._server(definition).spec() for definition in self._store.all()])

    def _server(self, definition: CacheDefinition) -> RedisServer:
        return RedisServer(self._site, definition, self._store.data(definition.name))

    def _record(self, definition: CacheDefinition) -> Cache:
        return Cache(
            identifier=definition.name,
            host="127.0.0.1",
            port=self._server(definition).port,
            certificate_authority_path=self._site.authority.certificate_path,
            parameters=definition.parameters,
            users=tuple(sorted(definition.users)),
        )

    async def _discard(self, name: str) -> None:
        await self._table.remove([f"redis-{name}"])
        await asyncio.to_thread(self._store.remove, name)  # first: on a full disk, nothing else can be written
        self._site.ports.forget(f"redis-{name}")
