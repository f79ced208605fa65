"""What a platform is made of on AWS."""

from __future__ import annotations

from components.aws import account
from components.aws.billing_webhook import BillingWebhook
from components.aws.bucket import Bucket
from components.aws.budget_alerts import BudgetAlerts
from components.aws.cluster import Cluster
from components.aws.disks import disks
from components.aws.function_guard import FunctionGuard
from components.aws.network import Network
from components.aws.node_scaling import NodeScaling
from components.aws.notifier import Notifier
from components.aws.postgres import Postgres
from components.aws.redis import Redis
from components.aws.runner_identity import RunnerIdentity
from components.aws.running_nodes import running_nodes
from components.aws.stored_secret import StoredSecret
from components.aws.tenant_boundary import TenantBoundary
from components.contracts.platform import PlatformCloud

CLOUD = PlatformCloud(
    provider=account.provider,
    account=account.account,
    deployer=account.deployer,
    zones=account.zones,
    network=Network,
    running_nodes=running_nodes,
    cluster=Cluster,
    node_scaling=NodeScaling,
    disks=disks,
    postgres=Postgres,
    redis=Redis,
    bucket=Bucket,
    tenant_boundary=TenantBoundary,
    budget_alerts=BudgetAlerts,
    notifier=Notifier,
    runner_identity=RunnerIdentity,
    function_guard=FunctionGuard,
    billing_webhook=BillingWebhook,
    stored_secret=StoredSecret,
)
