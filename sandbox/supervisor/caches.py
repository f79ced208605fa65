"""The Redis servers of a sandbox: made, found, given users, deleted, and started again."""

from __future__ import annotations

import asyncio
import secrets

from sandbox.processes.redis import RedisServer, acl_lines, applied
from sandbox.processes.site import Site
from sandbox.supervisor.definitions import CacheDefinition, DefinitionStore
from sandbox.supervisor.locks import NameLocks
from sandbox.supervisor.messages import Cache, CreateCache, SetCacheUsers, SupervisorError, UpdateCache
from sandbox.supervisor.table import ProcessTable


class Caches:
    def __init__(self, site: Site, table: ProcessTable) -> None:
        self._site, self._table = site, table
        self._store = DefinitionStore(site.home, "caches", CacheDefinition)
        self._locks = NameLocks()

    def names(self) -> tuple[str, ...]:
        return tuple(definition.name for definition in self._store.all() if definition.complete)

    async def create(self, request: CreateCache) -> Cache:
        applied(request.parameters)
        async with self._locks.of(request.identifier):
            if request.identifier in self._store:
                raise SupervisorError("exists already", where=f"cache {request.identifier}", reason="exists")
            definition = CacheDefinition(
                name=request.identifier,
                parameters=request.parameters,
                supervisor_password=secrets.token_urlsafe(32),
                users={},
            )
            self._store.put(definition)
            try:
                await self._table.start([self._server(definition).spec()])
            except BaseException:
                await self._discard(definition.name)
                raise
            self._store.put(definition.model_copy(update={"complete": True}))
            return self._record(definition)

    def get(self, identifier: str) -> Cache | None:
        definition = self._store.get(identifier)
        return self._record(definition) if definition and definition.complete else None

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

    async def delete(self, identifier: str) -> None:
        async with self._locks.of(identifier):
            if identifier in self._store:
                await self._discard(identifier)

    async def resume(self) -> None:
        """Start what was there when the sandbox ended; remove what a kill left half made."""
        for definition in self._store.all():
            if not definition.complete:
                await self._discard(definition.name)
        await self._table.start([self._server(definition).spec() for definition in self._store.all()])

    def _require(self, identifier: str) -> CacheDefinition:
        definition = self._store.get(identifier)
        if definition is None or not definition.complete:
            raise SupervisorError("does not exist", where=f"cache {identifier}", reason="missing")
        return definition

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
        self._site.ports.forget(f"redis-{name}")
        await asyncio.to_thread(self._store.remove, name)
