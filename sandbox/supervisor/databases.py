"""The Postgres servers of a sandbox: made, found, changed, deleted, and started again."""

from __future__ import annotations

import asyncio

import psycopg

from sandbox.processes.postgres import ADMIN_GROUP, SUPERUSER, PostgresServer, applied
from sandbox.processes.site import Site
from sandbox.supervisor.definitions import DatabaseDefinition, DefinitionStore
from sandbox.supervisor.instances import Instances
from sandbox.supervisor.messages import CreateDatabase, Database, SupervisorError, UpdateDatabase
from sandbox.supervisor.spec import no_answer
from sandbox.supervisor.table import ProcessTable


class Databases(Instances[DatabaseDefinition, Database]):
    kind = "database"

    def __init__(self, site: Site, table: ProcessTable) -> None:
        super().__init__(site, table, DatabaseDefinition)

    @property
    def definitions(self) -> DefinitionStore[DatabaseDefinition]:
        """What they are made of, for whoever works with them."""
        return self._store

    async def create(self, request: CreateDatabase) -> Database:
        if request.username in (SUPERUSER, ADMIN_GROUP) or request.username.startswith("pg_"):
            raise SupervisorError("is reserved", where=f"username {request.username}", reason="invalid")
        applied(request.parameters)
        definition = DatabaseDefinition(
            name=request.identifier,
            username=request.username,
            password=request.password,
            database=request.database,
            parameters=request.parameters,
        )
        async with self._making(definition):
            server = self._server(definition)
            await self._table.start([server.spec()])
            await asyncio.to_thread(server.create_administrator)
            self._store.put(definition.model_copy(update={"complete": True}))
        return self._record(definition)

    async def update(self, request: UpdateDatabase) -> Database:
        async with self._locks.of(request.identifier):
            definition = self._require(request.identifier)
            if request.parameters is not None and request.parameters != definition.parameters:
                definition = await self._change_parameters(definition, dict(request.parameters))
            if request.password is not None:
                server = self._server(definition)
                try:
                    await asyncio.to_thread(server.set_password, request.password)
                except psycopg.OperationalError:
                    raise no_answer(server.name) from None
                definition = definition.model_copy(update={"password": request.password})
                self._store.put(definition)
            return self._record(definition)

    async def resume(self) -> None:
        """Start what was there when the sandbox ended; remove what a kill left half made."""
        await self._discard_half_made()
        servers = [self._server(definition) for definition in self._store.all()]
        await self._table.start([server.spec() for server in servers])
        # Servers of an earlier release kept two databases to themselves.
        for server in servers:
            await asyncio.to_thread(server.hand_over)

    async def _change_parameters(
        self, definition: DatabaseDefinition, parameters: dict[str, str]
    ) -> DatabaseDefinition:
        applied(parameters)
        changed = definition.model_copy(update={"parameters": parameters})
        server = self._server(changed)
        try:
            await asyncio.to_thread(server.configure)
            await asyncio.to_thread(server.require_valid_parameters)
        except BaseException:
            await asyncio.to_thread(self._server(definition).configure)
            raise
        self._store.put(changed)
        # On RDS a static parameter waits for a reboot; here the server is restarted at once.
        if await asyncio.to_thread(server.reload):
            await self._table.replace(server.spec())
        else:
            self._table.redefine(server.spec())
        return changed

    def _server(self, definition: DatabaseDefinition) -> PostgresServer:
        return PostgresServer(self._site, definition, self._store.data(definition.name))

    def _record(self, definition: DatabaseDefinition) -> Database:
        return Database(
            identifier=definition.name,
            host="127.0.0.1",
            port=self._server(definition).port,
            username=definition.username,
            database=definition.database,
            certificate_authority_path=self._site.authority.certificate_path,
            parameters=definition.parameters,
        )

    async def _discard(self, name: str) -> None:
        await self._table.remove([f"postgres-{name}"])
        await asyncio.to_thread(self._store.remove, name)  # first: on a full disk, nothing else can be written
        self._site.ports.forget(f"postgres-{name}")
