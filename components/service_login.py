"""The role by which a service logs in to a database."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_postgresql as postgresql


@dataclass(frozen=True)
class ServiceLoginArgs:
    """The database is one that `SharedDatabase` closed."""

    database: pulumi.Input[str]
    role: str
    password: pulumi.Input[str]


class ServiceLogin(pulumi.ComponentResource):
    """A role that may log in to one database and name what is in its schema `public`; it makes nothing there.

    What it may do with tables is granted by whoever makes the tables: a platform is built before it has any.

    Needs a `postgresql` provider for that database in its options, whose user is no superuser.
    """

    password: pulumi.Output[str]

    def __init__(self, name: str, args: ServiceLoginArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:postgres:ServiceLogin", name, None, opts)
        role = postgresql.Role(
            f"{name}-role",
            name=args.role,
            login=True,
            password=args.password,
            superuser=False,
            create_database=False,
            create_role=False,
            replication=False,
            bypass_row_level_security=False,
            opts=pulumi.ResourceOptions(parent=self),
        )
        connect = postgresql.Grant(
            f"{name}-connect",
            database=args.database,
            role=role.name,
            object_type="database",
            privileges=["CONNECT"],
            opts=pulumi.ResourceOptions(parent=self),
        )
        use = postgresql.Grant(
            f"{name}-use-schema",
            database=args.database,
            role=role.name,
            schema="public",
            object_type="schema",
            privileges=["USAGE"],
            # The provider's grants take one lock after the other; two at once can meet in a serialisation failure.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[connect]),
        )
        # Who takes the password can log in.
        self.password = pulumi.Output.secret(
            pulumi.Output.all(args.password, connect.urn, use.urn).apply(lambda known: str(known[0]))
        )
        self.register_outputs({})
