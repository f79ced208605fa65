"""One tenant's schema in a shared Postgres database."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_postgresql as postgresql
import pulumi_random as random


@dataclass(frozen=True)
class TenantSchemaArgs:
    """`name` is the schema's and the role's; the database is one that `SharedDatabase` closed."""

    database: pulumi.Input[str]
    schema: str
    connections: int
    """How many the role may hold at once."""
    protect: bool
    suspended: bool = False
    """The role may not log in; the schema and all rights stay."""


class TenantSchema(pulumi.ComponentResource):
    """A schema and a login role that may work in it and nowhere else.

    The schema belongs to the administrator, so that the tenant can neither drop it nor let others in; what the
    tenant makes in it is the tenant's. Functions and types are by default open to PUBLIC: for the tenant's they are
    not, whoever comes to reach the schema later (https://www.postgresql.org/docs/current/ddl-priv.html).

    Needs a `postgresql` provider for that database in its options, whose user is no superuser.
    """

    role: pulumi.Output[str]
    password: pulumi.Output[str]
    schema: pulumi.Output[str]

    def __init__(self, name: str, args: TenantSchemaArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:postgres:TenantSchema", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        password = random.RandomPassword(f"{name}-password", length=40, special=False, opts=child)
        role = postgresql.Role(
            f"{name}-role",
            name=args.schema,
            login=not args.suspended,
            password=password.result,
            connection_limit=args.connections,
            search_paths=[args.schema],
            superuser=False,
            create_database=False,
            create_role=False,
            replication=False,
            bypass_row_level_security=False,
            opts=child,
        )
        # After the role, so that on deletion the schema goes first, and with it what the role owns.
        schema = postgresql.Schema(
            f"{name}-schema",
            name=args.schema,
            database=args.database,
            if_not_exists=False,
            drop_cascade=not args.protect,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[role], protect=args.protect),
        )
        grants: list[pulumi.Resource] = [
            postgresql.Grant(
                f"{name}-connect",
                database=args.database,
                role=role.name,
                object_type="database",
                privileges=["CONNECT", "TEMPORARY"],
                opts=child,
            ),
            postgresql.Grant(
                f"{name}-use-schema",
                database=args.database,
                role=role.name,
                schema=schema.name,
                object_type="schema",
                privileges=["CREATE", "USAGE"],
                opts=child,
            ),
        ]
        # Only without a schema do default privileges take something away; with one they can only add:
        # https://www.postgresql.org/docs/current/sql-alterdefaultprivileges.html
        grants += [
            postgresql.DefaultPrivileges(
                f"{name}-private-{kind}s",
                database=args.database,
                owner=role.name,
                role="public",
                object_type=kind,
                privileges=[],
                opts=child,
            )
            for kind in ("function", "type")
        ]
        # Who takes the password can log in and work.
        self.password = pulumi.Output.secret(
            pulumi.Output.all(password.result, *[pulumi.Output.from_input(grant.urn) for grant in grants]).apply(
                lambda known: str(known[0])
            )
        )
        self.role = role.name
        self.schema = schema.name
        self.register_outputs({"role": self.role, "schema": self.schema})
