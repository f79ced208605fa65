"""The workspace of one tenant in the bridge tier, composed from the other components. It names no cloud."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from catalog import identifiers, plans
from components import tenant_names
from components.contracts.cache_user import CacheUser, CacheUserArgs
from components.contracts.object_access import ObjectAccessArgs
from components.contracts.stored_secret import StoredSecretArgs
from components.contracts.tenancy import TenantCloud
from components.kubernetes.access import SERVICE_ACCOUNT
from components.kubernetes.workspace import Workspace, WorkspaceArgs
from components.tags import Ownership
from components.tenant_schema import TenantSchema, TenantSchemaArgs


@dataclass(frozen=True)
class SharedServices:
    """What the tenant's platform offers, as its contract says."""

    database_host: pulumi.Input[str]
    database_port: pulumi.Input[int]
    database: pulumi.Input[str]
    cache_host: pulumi.Input[str]
    cache_port: pulumi.Input[int]
    cache_user_group: pulumi.Input[str]
    bucket_name: pulumi.Input[str]
    bucket: pulumi.Input[str]
    bucket_key: pulumi.Input[str]
    oidc_issuer: pulumi.Input[str]
    oidc_provider: pulumi.Input[str]
    data_cidrs: pulumi.Input[Sequence[str]]
    service_cidr: pulumi.Input[str]
    region: pulumi.Input[str]
    role_boundary: pulumi.Input[str | None] = None
    """The most that a tenant's role may be allowed; None in a platform of an earlier release."""


@dataclass(frozen=True)
class TenantWorkspaceArgs:
    ownership: Ownership
    """With its tenant."""
    cell: str
    workspaces: tuple[str, ...]
    size: plans.WorkspaceSize
    roles: tuple[str, ...]
    """Of the tenant's people, from the most to the least powerful; the last one may look and not touch."""
    workloads: tuple[tuple[plans.Workload, pulumi.Input[str]], ...]
    cloud: TenantCloud
    shared: SharedServices
    protect: bool
    suspended: bool = False


class TenantWorkspace(pulumi.ComponentResource):
    """One tenant's share of a platform.

    - a Postgres schema and its role
    - a Redis user, confined to a prefix of keys and channels
    - a prefix of the bucket, and a role that reaches it, for the tenant's service accounts only
    - for each workspace a namespace: quota, limits, traffic rules, roles, connection details, the product's programs
    - the connection details in the cloud's secret manager as well

    Suspended, it keeps all of that with its data and its passwords, and is closed: the Postgres role and the Redis user
    cannot log in, the role of the objects is denied everything, the namespaces run no programs, admit no pods, let no
    traffic through and give nobody rights.

    Its options need providers for `kubernetes`, `postgresql` and the cloud.
    """

    namespaces: Mapping[str, pulumi.Output[str]]
    """By workspace."""
    schema: pulumi.Output[str]
    redis_user: str
    object_prefix: str
    role: pulumi.Output[str]
    connections: pulumi.Output[str]
    """Reference into the secret manager."""

    def __init__(self, name: str, args: TenantWorkspaceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        tenant = args.ownership.tenant
        if tenant is None:
            raise ValueError(f"tenant workspace {name}: its ownership names no tenant")
        super().__init__("freehold:tenant:TenantWorkspace", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        shared = args.shared
        namespaces = {workspace: identifiers.namespace(tenant, workspace) for workspace in args.workspaces}
        schema = TenantSchema(
            f"{name}-database",
            TenantSchemaArgs(
                database=shared.database,
                schema=identifiers.postgres_name(tenant),
                connections=args.size.database_connections,
                protect=args.protect,
                suspended=args.suspended,
            ),
            child,
        )
        cache_user = args.cloud.cache_user(
            f"{name}-cache",
            CacheUserArgs(
                ownership=args.ownership,
                user_id=tenant_names.cache_user(args.cell, tenant),
                username=identifiers.redis_user(tenant),
                prefix=identifiers.redis_prefix(tenant),
                user_group=shared.cache_user_group,
                suspended=args.suspended,
            ),
            child,
        )
        objects = args.cloud.object_access(
            f"{name}-objects",
            ObjectAccessArgs(
                ownership=args.ownership,
                role_name=tenant_names.role(args.ownership.product, args.cell, tenant),
                bucket=shared.bucket,
                key=shared.bucket_key,
                prefix=identifiers.object_prefix(tenant),
                oidc_issuer=shared.oidc_issuer,
                oidc_provider=shared.oidc_provider,
                service_accounts=tuple((namespace, SERVICE_ACCOUNT) for namespace in namespaces.values()),
                suspended=args.suspended,
                boundary=shared.role_boundary,
            ),
            child,
        )
        connections = self._connections(args, tenant, schema, cache_user)
        stored = args.cloud.stored_secret(
            f"{name}-connections",
            StoredSecretArgs(
                ownership=args.ownership,
                secret_name=tenant_names.connections(args.ownership.product, args.cell, tenant),
                description=f"Where the data of tenant {tenant} is, and how to log in",
                value=connections,
                key=None,
                # The logins die with the tenant: nothing is left to bring back, and the name is free at once.
                recovery_days=0,
            ),
            child,
        )
        *operators, viewer = args.roles
        made = {
            workspace: Workspace(
                f"{name}-{workspace}",
                WorkspaceArgs(
                    ownership=args.ownership,
                    namespace=namespace,
                    size=args.size,
                    operator_groups=tuple(identifiers.access_group(tenant, role) for role in operators),
                    viewer_groups=(identifiers.access_group(tenant, viewer),),
                    service_account_annotations=objects.service_account_annotations,
                    data_cidrs=shared.data_cidrs,
                    data_ports=pulumi.Output.all(shared.database_port, shared.cache_port),
                    service_cidr=shared.service_cidr,
                    connections=connections,
                    workloads=args.workloads,
                    suspended=args.suspended,
                ),
                child,
            )
            for workspace, namespace in namespaces.items()
        }
        self.namespaces = {workspace: made[workspace].namespace for workspace in made}
        self.schema = schema.schema
        self.redis_user = cache_user.username
        self.object_prefix = identifiers.object_prefix(tenant)
        self.role = objects.role
        self.connections = stored.reference
        self.register_outputs(
            {
                "namespaces": self.namespaces,
                "schema": self.schema,
                "redis_user": self.redis_user,
                "object_prefix": self.object_prefix,
                "role": self.role,
                "connections": self.connections,
            }
        )

    def _connections(
        self, args: TenantWorkspaceArgs, tenant: str, schema: TenantSchema, cache_user: CacheUser
    ) -> dict[str, pulumi.Input[str]]:
        """Environment variables of the tenant's programs. Passwords are letters and digits: URLs need no quoting."""
        shared = args.shared
        return {
            "DATABASE_URL": pulumi.Output.concat(
                "postgresql://",
                schema.role,
                ":",
                schema.password,
                "@",
                shared.database_host,
                ":",
                pulumi.Output.from_input(shared.database_port).apply(str),
                "/",
                shared.database,
                "?sslmode=require",
            ),
            "DATABASE_SCHEMA": schema.schema,
            "REDIS_URL": pulumi.Output.concat(
                "rediss://",
                cache_user.username,
                ":",
                cache_user.password,
                "@",
                shared.cache_host,
                ":",
                pulumi.Output.from_input(shared.cache_port).apply(str),
                "/0",
            ),
            "REDIS_PREFIX": identifiers.redis_prefix(tenant),
            "OBJECTS_BUCKET": shared.bucket_name,
            "OBJECTS_PREFIX": identifiers.object_prefix(tenant),
            "CLOUD_REGION": shared.region,
        }
