"""The billing webhook of a sandbox: started once there is a control database, kept, stopped."""

from __future__ import annotations

import secrets

from sandbox.processes.billing_webhook import NAME, billing_webhook, webhook_url
from sandbox.processes.site import Site
from sandbox.supervisor.definitions import DatabaseDefinition, DefinitionStore, WebhookDefinition
from sandbox.supervisor.locks import NameLocks
from sandbox.supervisor.messages import StartWebhook, SupervisorError, Webhook
from sandbox.supervisor.table import ProcessTable


class Webhooks:
    """`databases` is where the supervisor's databases are kept."""

    def __init__(self, site: Site, table: ProcessTable, databases: DefinitionStore[DatabaseDefinition]) -> None:
        self._site, self._table, self._databases = site, table, databases
        self._store = DefinitionStore(site.home, "webhooks", WebhookDefinition)
        self._locks = NameLocks()

    async def start(self, request: StartWebhook) -> Webhook:
        """One for that database and product runs when this returns. Its signing secret stays the same for ever."""
        database = self._databases.get(request.database)
        if database is None or not database.complete:
            raise SupervisorError("does not exist", where=f"database {request.database}", reason="missing")
        async with self._locks.of(NAME):
            kept = self._store.get(NAME)
            definition = WebhookDefinition(
                name=NAME,
                complete=True,
                database=request.database,
                product=request.product,
                secret=kept.secret if kept else f"whsec_{secrets.token_hex(16)}",
                username=request.username,
                password=request.password,
            )
            self._store.put(definition)
            if kept == definition and self._table.runs(NAME):
                await self._table[NAME].ready()
            else:
                await self._table.remove([NAME])
                await self._launch(definition, database)
        return Webhook(url=webhook_url(self._site), secret=definition.secret)

    async def stop(self) -> None:
        async with self._locks.of(NAME):
            await self._table.remove([NAME])
            self._store.remove(NAME)

    async def resume(self) -> None:
        """Start the one that there was, if its database is still there; call it when the databases serve."""
        definition = self._store.get(NAME)
        if definition is not None and (database := self._databases.get(definition.database)) is not None:
            await self._launch(definition, database)

    async def _launch(self, definition: WebhookDefinition, database: DatabaseDefinition) -> None:
        await self._table.start([billing_webhook(self._site, definition, database)])
