"""What Alembic runs: the connection is handed over by `fleet.migrations.upgrade`."""

from __future__ import annotations

from alembic import context

from fleet.registry import METADATA

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=METADATA, transactional_ddl=True)
context.run_migrations()
