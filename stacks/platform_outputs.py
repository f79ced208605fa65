"""The contract of a platform, from what its program made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from catalog.services import Service
from components.contracts.billing_webhook import BillingWebhook
from components.contracts.bucket import Bucket
from components.contracts.budget_alerts import BudgetAlerts
from components.contracts.cluster import Cluster
from components.contracts.network import Network
from components.contracts.notifier import Notifier
from components.contracts.postgres import Postgres
from components.contracts.redis import Redis
from components.contracts.tenant_boundary import TenantBoundary
from stacks import contract
from stacks.settings.platform import PlatformSettings
from stacks.site import Site


@dataclass(frozen=True)
class Made:
    """What tenants and services need to know of; None is what the settings leave out."""

    network: Network
    cluster: Cluster
    tenants: Postgres
    control: Postgres | None
    logins: Mapping[Service, pulumi.Output[str]]
    """Of the services in the control database: references to their secrets."""
    redis: Redis
    bucket: Bucket
    boundary: TenantBoundary
    budget: BudgetAlerts
    notifier: Notifier | None
    webhook: BillingWebhook | None


def record(settings: PlatformSettings, site: Site, made: Made) -> dict[str, Any]:
    """What `contract.PlatformContract` reads, with outputs in it."""
    return {
        "version": contract.VERSION,
        "product": settings.blueprint,
        "environment": site.ownership.environment,
        "cell": site.cell,
        "cost_centre": settings.cost_centre,
        "cloud": settings.cloud,
        "account": site.place.account,
        "region": site.place.region,
        "admits_tenants": settings.inside_network,
        "network": {
            "cidr": settings.network.cidr,
            "data_cidrs": made.network.data_cidrs,
            "service_cidr": settings.cluster.service_cidr,
        },
        "cluster": {
            "name": made.cluster.cluster_name,
            "endpoint": made.cluster.endpoint,
            "kubeconfig": made.cluster.kubeconfig,
            "oidc_issuer": made.cluster.oidc_issuer,
            "oidc_provider_arn": made.cluster.oidc_provider,
        },
        "database": {
            "tenants": _database(made.tenants),
            "control": {**_database(made.control), "logins": dict(made.logins)} if made.control else None,
        },
        "cache": {
            "replication_group": made.redis.identifier,
            "host": made.redis.host,
            "port": made.redis.port,
            "user_group": made.redis.user_group,
            "admin_secret": made.redis.admin_secret,
            "sweeper_secret": made.redis.sweeper_secret,
        },
        "bucket": {"name": made.bucket.bucket_name, "arn": made.bucket.bucket, "kms_key_arn": made.bucket.key},
        "alerts": {"topic_arn": made.budget.topic, "notifier": _notifier(made.notifier) if made.notifier else None},
        "tenants": {"role_boundary": made.boundary.reference},
        "billing": _billing(made.webhook) if made.webhook else None,
        "budget": {"name": made.budget.budget_name, "limit": settings.budget.monthly_usd},
    }


def _billing(made: BillingWebhook) -> dict[str, Any]:
    return {"url": made.url, "signing_secret": made.signing_secret}


def _notifier(made: Notifier) -> dict[str, Any]:
    return {
        "queue_url": made.queue_url,
        "dead_letter_queue_url": made.dead_letter_queue_url,
        "sinks_secret": made.sinks_secret,
    }


def _database(server: Postgres) -> dict[str, Any]:
    return {
        "identifier": server.identifier,
        "host": server.host,
        "port": server.port,
        "database": server.database,
        "admin_secret": server.admin_secret,
    }
