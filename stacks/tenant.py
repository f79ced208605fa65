"""The program of one tenant: its workspace on the platform that its cell is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import pulumi

from catalog import blueprints
from components.kubernetes.provider import cluster_provider
from components.shared_database import SharedDatabaseArgs
from components.shared_database import provider as postgres_provider
from components.tags import Ownership
from components.tenant import SharedServices, TenantWorkspace, TenantWorkspaceArgs
from stacks.clouds import tenant_cloud
from stacks.configuration import environment_of
from stacks.contract import PlatformContract
from stacks.platform_reference import platform_contract
from stacks.settings.tenant import TenantSettings

T = TypeVar("T")


def run(settings: TenantSettings) -> None:
    """Declares the tenant's workspace and exports `tenant`, a record without secrets."""
    record = settings.tenant
    cloud = tenant_cloud(settings.cloud)
    platform = platform_contract(record.cell, product=settings.blueprint, region=record.region)

    def of(read: Callable[[PlatformContract], T]) -> pulumi.Output[T]:
        return platform.apply(read)

    cloud_provider = cloud.provider(settings.cloud, of(lambda known: known.region), of(lambda known: (known.account,)))
    kubernetes = cluster_provider(
        of(lambda known: known.cluster.kubeconfig),
        of(lambda known: known.cluster.oidc_issuer),
        # The tenant's people may write Deployments, autoscalers and secrets, the program's own too: one that they have
        # changed would make each later change of plan, image or password fail.
        takes_fields_back=True,
    )
    admin = cloud.read_secret(of(lambda known: known.database.tenants.admin_secret), cloud_provider)
    database = of(lambda known: known.database.tenants.database)
    postgresql = postgres_provider(
        "postgresql",
        SharedDatabaseArgs(
            host=of(lambda known: known.database.tenants.host),
            port=of(lambda known: known.database.tenants.port),
            username=admin.apply(_field("username")),
            password=admin.apply(_field("password")),
            database=database,
        ),
    )
    plan = settings.plan()
    if plan.size is None:
        raise ValueError(f"plan {plan.name} has no size")  # settings admit bridge plans only, which have one
    blueprint = blueprints.load(settings.blueprint)
    workspace = TenantWorkspace(
        record.id,
        TenantWorkspaceArgs(
            ownership=Ownership(
                product=settings.blueprint,
                environment=environment_of(record.cell),
                cost_centre=record.cost_centre or record.id,
                tenant=record.id,
                cell=record.cell,
            ),
            cell=record.cell,
            workspaces=record.workspaces,
            size=plan.size,
            roles=blueprint.roles,
            workloads=tuple(
                (workload, image) for workload in blueprint.workloads if (image := settings.image(workload)) is not None
            ),
            cloud=cloud,
            shared=SharedServices(
                database_host=of(lambda known: known.database.tenants.host),
                database_port=of(lambda known: known.database.tenants.port),
                database=database,
                cache_host=of(lambda known: known.cache.host),
                cache_port=of(lambda known: known.cache.port),
                cache_user_group=of(lambda known: known.cache.user_group),
                bucket_name=of(lambda known: known.bucket.name),
                bucket=of(lambda known: known.bucket.arn),
                bucket_key=of(lambda known: known.bucket.kms_key_arn),
                oidc_issuer=of(lambda known: known.cluster.oidc_issuer),
                oidc_provider=of(lambda known: known.cluster.oidc_provider_arn),
                data_cidrs=of(lambda known: list(known.network.data_cidrs)),
                service_cidr=of(lambda known: known.network.service_cidr),
                region=of(lambda known: known.region),
                role_boundary=of(lambda known: known.tenants.role_boundary if known.tenants else None),
            ),
            protect=settings.protect,
            suspended=record.suspended,
        ),
        pulumi.ResourceOptions(providers=[cloud_provider, kubernetes, postgresql]),
    )
    pulumi.export(
        "tenant",
        {
            "id": record.id,
            "plan": plan.name,
            "tier": plan.tier.value,
            "cell": record.cell,
            "suspended": record.suspended,
            "namespaces": workspace.namespaces,
            "postgres": workspace.schema,
            "redis_user": workspace.redis_user,
            "object_prefix": workspace.object_prefix,
            "role": workspace.role,
            "connections": workspace.connections,
        },
    )


def _field(name: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda document: str(document[name])
