"""Logins of services in a test's database, made as the platform makes them."""

from __future__ import annotations

import sqlalchemy as sa

from catalog.services import Service
from fleet import migrations, privileges

_PASSWORD = "of-the-service-and-long"


def make_login(database: sa.URL, service: Service) -> sa.URL:
    """The way in for the service, into a database closed to all others; so far it may do nothing there.

    `database` is the administrator's. Roles belong to the server: one that there is gets its password anew.
    """
    engine = sa.create_engine(database)
    with engine.begin() as connection:
        found = connection.scalar(sa.text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": service.role})
        verb = "ALTER" if found else "CREATE"
        for statement in (
            f"{verb} ROLE {service.role} LOGIN PASSWORD '{_PASSWORD}'",
            f"REVOKE ALL ON DATABASE {database.database} FROM PUBLIC",
            "REVOKE ALL ON SCHEMA public FROM PUBLIC",
            f"GRANT CONNECT ON DATABASE {database.database} TO {service.role}",
            f"GRANT USAGE ON SCHEMA public TO {service.role}",
        ):
            connection.exec_driver_sql(statement)
    engine.dispose()
    return database.set(username=service.role, password=_PASSWORD)


def login(database: sa.URL, service: Service) -> sa.URL:
    """The way in for the service, with the schema and the service's rights."""
    made = make_login(database, service)
    engine = sa.create_engine(database)
    with engine.begin() as connection:
        migrations.upgrade(connection)
        privileges.grant(connection)
    engine.dispose()
    return made
