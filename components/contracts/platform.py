"""A cloud's pieces of a platform."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pulumi

from components.contracts.billing_webhook import BillingWebhook, BillingWebhookArgs
from components.contracts.bucket import Bucket, BucketArgs
from components.contracts.budget_alerts import BudgetAlerts, BudgetAlertsArgs
from components.contracts.cluster import Cluster, ClusterArgs, RunningNodes
from components.contracts.disks import DiskDriver
from components.contracts.function_guard import FunctionGuard, FunctionGuardArgs
from components.contracts.network import Network, NetworkArgs
from components.contracts.node_scaling import NodeScaling, NodeScalingArgs
from components.contracts.notifier import Notifier, NotifierArgs
from components.contracts.postgres import Postgres, PostgresArgs
from components.contracts.redis import Redis, RedisArgs
from components.contracts.runner_identity import RunnerIdentity, RunnerIdentityArgs
from components.contracts.stored_secret import StoredSecret, StoredSecretArgs
from components.contracts.tenant_boundary import TenantBoundary, TenantBoundaryArgs
from components.tags import Ownership


@dataclass(frozen=True)
class PlatformCloud:
    """A cloud's pieces of a platform."""

    provider: Callable[[str, pulumi.Input[str], tuple[str, ...] | None], pulumi.ProviderResource]
    """From a resource name, a region, and the accounts whose credentials alone it takes, where some are named."""
    account: Callable[[pulumi.ProviderResource], str]
    """Who pays: the account (GCP: the project) that the provider's credentials belong to."""
    deployer: Callable[[pulumi.ProviderResource], str]
    """The principal that the program runs as, in the form that `ClusterArgs.admins` takes."""
    zones: Callable[[pulumi.ProviderResource, tuple[str, ...], int], tuple[str, ...]]
    """The zones that were chosen, once it is known that they can hold everything; without a choice the first so many of
    the provider's region."""
    network: Callable[[str, NetworkArgs, pulumi.ResourceOptions], Network]
    running_nodes: Callable[[pulumi.ProviderResource, str], tuple[RunningNodes, ...]]
    """The groups of nodes of the cluster of that name, as they are now; none where there is no such cluster."""
    cluster: Callable[[str, ClusterArgs, pulumi.ResourceOptions], Cluster]
    node_scaling: Callable[[str, NodeScalingArgs, pulumi.ResourceOptions], NodeScaling]
    disks: Callable[[Ownership], DiskDriver]
    postgres: Callable[[str, PostgresArgs, pulumi.ResourceOptions], Postgres]
    redis: Callable[[str, RedisArgs, pulumi.ResourceOptions], Redis]
    bucket: Callable[[str, BucketArgs, pulumi.ResourceOptions], Bucket]
    tenant_boundary: Callable[[str, TenantBoundaryArgs, pulumi.ResourceOptions], TenantBoundary]
    budget_alerts: Callable[[str, BudgetAlertsArgs, pulumi.ResourceOptions], BudgetAlerts]
    notifier: Callable[[str, NotifierArgs, pulumi.ResourceOptions], Notifier]
    runner_identity: Callable[[str, RunnerIdentityArgs, pulumi.ResourceOptions], RunnerIdentity]
    function_guard: Callable[[str, FunctionGuardArgs, pulumi.ResourceOptions], FunctionGuard]
    stored_secret: Callable[[str, StoredSecretArgs, pulumi.ResourceOptions], StoredSecret]
    billing_webhook: Callable[[str, BillingWebhookArgs, pulumi.ResourceOptions], BillingWebhook]
