"""A Postgres database that many roles share, closed to all but those that are let in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_postgresql as postgresql


@dataclass(frozen=True)
class SharedDatabaseArgs:
    """Where the database is and who administers it (no superuser)."""

    host: pulumi.Input[str]
    port: pulumi.Input[int]
    username: pulumi.Input[str]
    password: pulumi.Input[str]
    database: pulumi.Input[str]


def provider(name: str, args: SharedDatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> postgresql.Provider:
    """A provider for one database, over TLS. A managed server's administrator is no superuser, and must be said not
    to be: https://www.pulumi.com/registry/packages/postgresql/installation-configuration/

    PGSSLROOTCERT in the environment names the authority that signed the server's certificate, which is then verified.
    """
    return postgresql.Provider(
        name,
        host=args.host,
        port=args.port,
        username=args.username,
        password=args.password,
        database=args.database,
        sslmode="require",
        superuser=False,
        connect_timeout=30,
        opts=opts,
    )


ALWAYS_THERE: Final = ("postgres", "template1")
"""Databases that every server has beside the one that is shared. On RDS the administrator owns both, and nobody but
RDS gets into the third, `rdsadmin`; `template0` takes no connections."""


class SharedDatabase(pulumi.ComponentResource):
    """Takes from PUBLIC, that is from every role, what Postgres gives it by default: CONNECT and TEMPORARY on the
    database, USAGE (and before Postgres 15 CREATE) on the schema `public`; and CONNECT and TEMPORARY on the databases
    that are there anyway, where a role could keep things that nobody looks for, and that hinder its deletion.

    What the functions of the server itself let every role do (large objects, say) stays: they belong to a superuser,
    who alone can take it away. https://www.postgresql.org/docs/current/ddl-priv.html
    """

    admin: postgresql.Provider
    """For the database, as its administrator."""

    def __init__(self, name: str, args: SharedDatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:postgres:SharedDatabase", name, None, opts)
        admin = provider(f"{name}-admin", args, pulumi.ResourceOptions(parent=self))
        child = pulumi.ResourceOptions(parent=self, provider=admin)
        database = postgresql.Grant(
            f"{name}-database",
            database=args.database,
            role="public",
            object_type="database",
            privileges=[],
            opts=child,
        )

        # The provider's grants take one lock after the other; two at once can meet in a serialisation failure.
        def after(earlier: pulumi.Resource) -> pulumi.ResourceOptions:
            return pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[earlier]))

        last = postgresql.Grant(
            f"{name}-schema-public",
            database=args.database,
            role="public",
            object_type="schema",
            schema="public",
            privileges=[],
            opts=after(database),
        )
        for other in ALWAYS_THERE:
            last = postgresql.Grant(
                f"{name}-{other}",
                database=other,
                role="public",
                object_type="database",
                privileges=[],
                opts=after(last),
            )
        self.admin = admin
        self.register_outputs({})
