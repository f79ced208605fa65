"""The program of an environment: everything that its tenants share."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
from pulumi_kubernetes import Provider as KubernetesProvider

from catalog import identifiers
from catalog.services import Service
from components.contracts.billing_webhook import BillingWebhookArgs
from components.contracts.bucket import BucketArgs
from components.contracts.budget_alerts import BudgetAlertsArgs
from components.contracts.cluster import ClusterArgs, NodePool
from components.contracts.function_guard import FunctionGuardArgs
from components.contracts.network import NetworkArgs
from components.contracts.notifier import NotifierArgs
from components.contracts.place import Place
from components.contracts.postgres import Postgres, PostgresArgs
from components.contracts.redis import RedisArgs
from components.contracts.tenant_boundary import TenantBoundaryArgs
from components.kubernetes.closed_namespace import ClosedNamespace, ClosedNamespaceArgs
from components.kubernetes.notifier import NAMESPACE, SERVICE_ACCOUNT, NotifierDeployment, NotifierDeploymentArgs
from components.naming import physical_name
from components.shared_database import SharedDatabase, SharedDatabaseArgs
from components.tags import Ownership
from services import package
from stacks import billing, cluster_services, contract, operations, platform_outputs
from stacks.clouds import platform_cloud
from stacks.configuration import environment_of
from stacks.service_logins import service_logins
from stacks.settings.platform import PlatformSettings, PostgresSettings
from stacks.site import Site

EXAMPLE_ACCOUNT = "123456789012"
"""AWS' own for documentation, and the sandbox's."""
TENANTS_DATABASE = "tenants"
CONTROL_DATABASE = "control"


def run(settings: PlatformSettings, cell: str) -> None:
    """Declares the platform of the cell (the stack's name) and exports its contract."""
    archive = billing.archive(settings.billing) if settings.billing else None
    cloud = platform_cloud(settings.cloud)
    provider = cloud.provider(settings.cloud, settings.region)
    place = Place(cloud.account(provider), settings.region)
    for principal in settings.cluster.admins:
        if f":{EXAMPLE_ACCOUNT}:" in principal and place.account != EXAMPLE_ACCOUNT:
            raise pulumi.RunError(
                f"Pulumi.{cell}.yaml: freehold:cluster.admins: {principal} is the example, and this is account "
                f"{place.account}; name the roles and users that administer the cluster"
            )
    ownership = Ownership(settings.blueprint, environment_of(cell), settings.cost_centre)
    opts = pulumi.ResourceOptions(provider=provider)
    site = Site(cloud, cell, ownership, place, opts)
    named = site.named

    budget = cloud.budget_alerts(
        "budget",
        BudgetAlertsArgs(
            ownership=ownership,
            place=place,
            budget_name=named("monthly"),
            monthly_usd=settings.budget.monthly_usd,
            emails=settings.budget.emails,
            webhooks=settings.budget.webhooks,
            by_environment_tag=settings.budget.by_environment_tag,
        ),
        opts,
    )
    network = cloud.network(
        "network",
        NetworkArgs(
            ownership=ownership,
            place=place,
            network_name=named(),
            cidr=settings.network.cidr,
            zones=cloud.zones(provider, settings.network.zones or (), 3),
            nat_per_zone=settings.network.nat_per_zone,
            log_retention_days=settings.network.log_retention_days,
        ),
        opts,
    )
    cluster = cloud.cluster(
        "cluster",
        ClusterArgs(
            ownership=ownership,
            place=place,
            name=named(),
            kubernetes_version=settings.cluster.version,
            network_id=network.network_id,
            subnet_ids=tuple(network.private_subnet_ids),
            service_cidr=settings.cluster.service_cidr,
            public_cidrs=settings.cluster.public_cidrs,
            admins=settings.cluster.admins or (cloud.deployer(provider),),
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
            running=cloud.running_nodes(provider, named()),
        ),
        opts,
    )

    kubernetes = None
    if settings.inside_network:
        kubernetes = KubernetesProvider("kubernetes", kubeconfig=cluster.kubeconfig, enable_server_side_apply=True)
        cluster_services.run(site, settings.cluster, cluster, kubernetes)

    guard = None
    if settings.billing:
        guard = cloud.function_guard(
            "billing-guard",
            FunctionGuardArgs(
                ownership=ownership,
                function_name=named("billing"),
                network_id=network.network_id,
                data_cidrs=tuple(network.data_cidrs),
            ),
            opts,
        )

    closed: dict[str, SharedDatabase] = {}
    recovery_days = 30 if settings.protect else 0

    def postgres(
        name: str, database: str, chosen: PostgresSettings, clients: Mapping[str, pulumi.Input[str]] | None = None
    ) -> Postgres:
        server = cloud.postgres(
            name,
            PostgresArgs(
                ownership=ownership,
                place=place,
                identifier=named(name),
                database=database,
                version=chosen.version,
                machine_type=chosen.machine_type,
                storage_gib=chosen.storage_gib,
                storage_limit_gib=chosen.storage_limit_gib,
                highly_available=chosen.highly_available,
                backup_retention_days=chosen.backup_retention_days,
                network_id=network.network_id,
                subnet_ids=tuple(network.data_subnet_ids),
                client_security_groups={"nodes": cluster.security_group_id, **(clients or {})},
                protect=settings.protect,
                client_cidrs=settings.network.operators,
                alarm_topics=(budget.topic,),
                major_upgrade=chosen.major_upgrade,
            ),
            opts,
        )
        if settings.inside_network:
            closed[name] = SharedDatabase(
                f"{name}-closed",
                SharedDatabaseArgs(server.host, server.port, server.username, server.password, server.database),
            )
        return server

    tenants = postgres("postgres", TENANTS_DATABASE, settings.postgres)
    functions = {"billing": guard.security_group_id} if guard else {}
    control = postgres("control", CONTROL_DATABASE, settings.control, functions) if settings.control else None
    logins: Mapping[Service, pulumi.Output[str]] = {}
    if control:
        logins = service_logins(site, control, closed.get("control"), recovery_days=recovery_days)
    webhook = None
    if settings.billing and control and guard and archive:
        webhook = cloud.billing_webhook(
            "billing",
            BillingWebhookArgs(
                ownership=ownership,
                place=place,
                function_name=named("billing"),
                archive=archive,
                handler=package.HANDLER,
                architecture=billing.TARGET.architecture,
                runtime=billing.TARGET.runtime,
                livemode=settings.billing.livemode,
                subnet_ids=tuple(network.private_subnet_ids),
                security_group_id=guard.security_group_id,
                database_secret=logins[Service.BILLING],
                database_key=control.admin_key,
                authority=package.AUTHORITY,
                log_retention_days=settings.billing.log_retention_days,
                concurrency=settings.billing.concurrency,
                recovery_days=recovery_days,
                alarm_topics=(budget.topic,),
            ),
            opts,
        )
    notifier = None
    if settings.notifier and control:
        notifier = cloud.notifier(
            "notifier",
            NotifierArgs(
                ownership=ownership,
                place=place,
                queue_name=named("notifier"),
                topic=budget.topic,
                secret_name=named("notifier", "sinks"),
                recovery_days=recovery_days,
                role_name=named("notifier"),
                oidc_issuer=cluster.oidc_issuer,
                oidc_provider=cluster.oidc_provider,
                service_account=(NAMESPACE, SERVICE_ACCOUNT),
                database_secret=logins[Service.NOTIFIER],
            ),
            opts,
        )
        if settings.notifier.image and kubernetes:
            notifying = NotifierDeployment(
                "notifier-deployment",
                NotifierDeploymentArgs(
                    ownership=ownership,
                    image=settings.notifier.image,
                    service_account_annotations=notifier.service_account_annotations,
                    environment={
                        "AWS_REGION": place.region,
                        "NOTIFIER_QUEUE_URL": notifier.queue_url,
                        "NOTIFIER_DEAD_LETTER_QUEUE_URL": notifier.dead_letter_queue_url,
                        "NOTIFIER_TOPIC_ARN": budget.topic,
                        "NOTIFIER_DATABASE_SECRET": logins[Service.NOTIFIER],
                        "NOTIFIER_SINKS_SECRET": notifier.sinks_secret,
                    },
                ),
                pulumi.ResourceOptions(provider=kubernetes, depends_on=[cluster.ready]),
            )
            ClosedNamespace(
                "notifier-closed",
                ClosedNamespaceArgs(ownership, NAMESPACE),
                pulumi.ResourceOptions(provider=kubernetes, depends_on=[notifying]),
            )
    redis = cloud.redis(
        "redis",
        RedisArgs(
            ownership=ownership,
            place=place,
            identifier=named(),
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
        opts,
    )
    bucket = cloud.bucket(
        "objects",
        BucketArgs(
            ownership=ownership,
            place=place,
            # Bucket names are global: the account and the region keep two companies, and two clouds' regions, apart.
            bucket_name=physical_name(settings.blueprint, cell, place.account, place.region, limit=63),
            noncurrent_retention_days=settings.bucket.noncurrent_retention_days,
            protect=settings.protect,
        ),
        opts,
    )
    boundary = cloud.tenant_boundary(
        "tenant-boundary",
        TenantBoundaryArgs(
            ownership=ownership,
            policy_name=named("tenant-boundary"),
            bucket=bucket.bucket,
            key=bucket.key,
            prefix=identifiers.OBJECTS,
        ),
        opts,
    )
    if settings.runner and control and kubernetes:
        operations.run(
            settings.runner,
            site,
            operations.Cell(
                cluster=cluster,
                database_secrets=(tenants.admin_secret, logins[Service.RUNNER], redis.sweeper_secret),
                redis=redis,
                bucket=bucket,
                boundary=boundary,
            ),
            pulumi.ResourceOptions(provider=kubernetes, depends_on=[cluster.ready]),
        )
    made = platform_outputs.Made(
        network=network,
        cluster=cluster,
        tenants=tenants,
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
