"""The program of an environment: everything that its tenants share."""

from __future__ import annotations

import pulumi

from catalog import identifiers
from catalog.services import Service
from components.contracts.bucket import Bucket, BucketArgs
from components.contracts.budget_alerts import BudgetAlerts, BudgetAlertsArgs
from components.contracts.cluster import Cluster, ClusterArgs, NodePool
from components.contracts.network import Network, NetworkArgs
from components.contracts.place import Place
from components.contracts.redis import Redis, RedisArgs
from components.contracts.tenant_boundary import TenantBoundary, TenantBoundaryArgs
from components.kubernetes.provider import cluster_provider
from components.naming import physical_name
from components.tags import Ownership
from stacks import (
    billing_archive,
    billing_webhook,
    cluster_services,
    contract,
    databases,
    notifications,
    operations,
    platform_outputs,
)
from stacks.clouds import platform_cloud
from stacks.configuration import environment_of
from stacks.settings.platform import PlatformSettings
from stacks.site import Site

EXAMPLE_ACCOUNT = "123456789012"
"""AWS' own for documentation, and the sandbox's."""


def run(settings: PlatformSettings, cell: str, accounts: tuple[str, ...] = ()) -> None:
    """Declares the platform of the cell (the stack's name), in one of `accounts` where some are named, and exports its
    contract."""
    archive = billing_archive.archive(settings.billing) if settings.billing else None
    cloud = platform_cloud(settings.cloud)
    provider = cloud.provider(settings.cloud, settings.region, accounts or None)
    place = Place(cloud.account(provider), settings.region)
    _refuse_example_admins(settings, cell, place)
    site = Site(
        cloud,
        cell,
        Ownership(settings.blueprint, environment_of(cell), settings.cost_centre, cell=cell),
        place,
        pulumi.ResourceOptions(provider=provider),
        recovery_days=30 if settings.protect else 0,
    )

    budget = _budget(site, settings)
    network = _network(site, settings, provider)
    cluster = _cluster(site, settings, network, provider)
    kubernetes = None
    if settings.inside_network:
        kubernetes = cluster_provider(cluster.kubeconfig, cluster.oidc_issuer, after=cluster.admitted)
        cluster_services.run(site, settings.cluster, cluster, kubernetes)

    guard = billing_webhook.guard(site, network) if settings.billing else None
    functions = {"billing": guard.security_group_id} if guard else {}
    servers = databases.run(site, settings, databases.Surroundings(network, cluster, functions, budget.topic))
    control, logins = servers.control, servers.logins
    webhook = None
    if settings.billing and control and guard and archive:
        webhook = billing_webhook.run(
            site, settings.billing, archive, guard, network, control, logins[Service.BILLING], budget.topic
        )
    notifier = None
    if settings.notifier and control:
        login = logins[Service.NOTIFIER]
        notifier = notifications.run(site, budget.topic, cluster, login)
        if settings.notifier.image and kubernetes:
            notifications.deploy(site, settings.notifier.image, notifier, budget.topic, cluster, login, kubernetes)
    redis = _redis(site, settings, network, cluster, budget)
    bucket = _bucket(site, settings)
    boundary = _boundary(site, bucket)
    if settings.runner and control and kubernetes:
        operations.run(
            settings.runner,
            site,
            operations.Cell(
                cluster=cluster,
                database_secrets=(servers.tenants.admin_secret, logins[Service.RUNNER], redis.sweeper_secret),
                redis=redis,
                bucket=bucket,
                boundary=boundary,
            ),
            pulumi.ResourceOptions(provider=kubernetes, depends_on=[cluster.ready]),
        )
    made = platform_outputs.Made(
        network=network,
        cluster=cluster,
        tenants=servers.tenants,
        control=control,
        logins=logins,
        redis=redis,
        bucket=bucket,
        boundary=boundary,
        budget=budget,
        notifier=notifier,
        webhook=webhook,
    )
    record = platform_outputs.record(settings, site, made)
    pulumi.export(contract.OUTPUT, pulumi.Output.from_input(record).apply(contract.validated))


def _refuse_example_admins(settings: PlatformSettings, cell: str, place: Place) -> None:
    for principal in settings.cluster.admins:
        if f":{EXAMPLE_ACCOUNT}:" in principal and place.account != EXAMPLE_ACCOUNT:
            raise pulumi.RunError(
                f"Pulumi.{cell}.yaml: freehold:cluster.admins: {principal} is the example, and this is account "
                f"{place.account}; name the roles and users that administer the cluster"
            )


def _budget(site: Site, settings: PlatformSettings) -> BudgetAlerts:
    return site.cloud.budget_alerts(
        "budget",
        BudgetAlertsArgs(
            ownership=site.ownership,
            place=site.place,
            budget_name=site.named("monthly"),
            monthly_usd=settings.budget.monthly_usd,
            emails=settings.budget.emails,
            webhooks=settings.budget.webhooks,
            by_tag=settings.budget.by_tag,
        ),
        site.opts,
    )


def _network(site: Site, settings: PlatformSettings, provider: pulumi.ProviderResource) -> Network:
    return site.cloud.network(
        "network",
        NetworkArgs(
            ownership=site.ownership,
            place=site.place,
            network_name=site.named(),
            cidr=settings.network.cidr,
            zones=site.cloud.zones(provider, settings.network.zones or (), 3),
            nat_per_zone=settings.network.nat_per_zone,
            log_retention_days=settings.network.log_retention_days,
        ),
        site.opts,
    )


def _cluster(site: Site, settings: PlatformSettings, network: Network, provider: pulumi.ProviderResource) -> Cluster:
    return site.cloud.cluster(
        "cluster",
        ClusterArgs(
            ownership=site.ownership,
            place=site.place,
            name=site.named(),
            kubernetes_version=settings.cluster.version,
            network_id=network.network_id,
            subnet_ids=tuple(network.private_subnet_ids),
            service_cidr=settings.cluster.service_cidr,
            public_cidrs=settings.cluster.public_cidrs,
            admins=settings.cluster.admins or (site.cloud.deployer(provider),),
            nodes=NodePool(
                minimum=settings.cluster.nodes.minimum,
                maximum=settings.cluster.nodes.maximum,
                machine_types=settings.cluster.nodes.machine_types,
                disk_gib=settings.cluster.nodes.disk_gib,
            ),
            log_retention_days=settings.cluster.log_retention_days,
            protect=settings.protect,
            operator_cidrs=settings.network.operators,
            extended_support=settings.cluster.extended_support,
            running=site.cloud.running_nodes(provider, site.named()),
        ),
        site.opts,
    )


def _redis(site: Site, settings: PlatformSettings, network: Network, cluster: Cluster, budget: BudgetAlerts) -> Redis:
    return site.cloud.redis(
        "redis",
        RedisArgs(
            ownership=site.ownership,
            place=site.place,
            identifier=site.named(),
            version=settings.redis.version,
            machine_type=settings.redis.machine_type,
            replicas=settings.redis.replicas,
            snapshot_retention_days=settings.redis.snapshot_retention_days,
            network_id=network.network_id,
            subnet_ids=tuple(network.data_subnet_ids),
            client_security_groups={"nodes": cluster.security_group_id},
            tenants_keys=identifiers.KEYS,
            protect=settings.protect,
            alarm_topics=(budget.topic,),
        ),
        site.opts,
    )


def _bucket(site: Site, settings: PlatformSettings) -> Bucket:
    place = site.place
    return site.cloud.bucket(
        "objects",
        BucketArgs(
            ownership=site.ownership,
            place=place,
            # Bucket names are global: the account and the region keep two companies, and two clouds' regions, apart.
            bucket_name=physical_name(settings.blueprint, site.cell, place.account, place.region, limit=63),
            noncurrent_retention_days=settings.bucket.noncurrent_retention_days,
            protect=settings.protect,
        ),
        site.opts,
    )


def _boundary(site: Site, bucket: Bucket) -> TenantBoundary:
    return site.cloud.tenant_boundary(
        "tenant-boundary",
        TenantBoundaryArgs(
            ownership=site.ownership,
            policy_name=site.named("tenant-boundary"),
            bucket=bucket.bucket,
            key=bucket.key,
            prefix=identifiers.OBJECTS,
        ),
        site.opts,
    )
