"""Sample arguments of components."""

from __future__ import annotations

from pathlib import Path

import pulumi

from catalog.blueprints import load
from catalog.services import Service
from components import tenant_names
from components.aws.tenancy import CLOUD
from components.contracts.billing_webhook import BillingWebhookArgs
from components.contracts.bucket import BucketArgs
from components.contracts.budget_alerts import BudgetAlertsArgs
from components.contracts.cluster import ClusterArgs, NodePool
from components.contracts.function_guard import FunctionGuardArgs
from components.contracts.network import NetworkArgs
from components.contracts.notifier import NotifierArgs
from components.contracts.object_access import ObjectAccessArgs
from components.contracts.place import Place
from components.contracts.postgres import PostgresArgs
from components.contracts.redis import RedisArgs
from components.contracts.runner_identity import RunnerIdentityArgs
from components.kubernetes.notifier import NAMESPACE, SERVICE_ACCOUNT, NotifierDeploymentArgs
from components.kubernetes.runner import RunnerArgs
from components.service_login import ServiceLoginArgs
from components.tags import Ownership
from components.tenant import SharedServices, TenantWorkspaceArgs
from tests.components.recording import ACCOUNT, CANARY

PLACE = Place(ACCOUNT, "us-east-1")
PLATFORM = Ownership("chronos-cloud", "sandbox", "rehearsal")
BLUEPRINT = load("chronos-cloud")
_size = BLUEPRINT.plan("starter").size
assert _size is not None
SIZE = _size
WORKLOAD = BLUEPRINT.workloads[0]
ISSUER = "https://oidc.eks.us-east-1.amazonaws.com/id/0A1B"
OIDC_PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/0A1B"
SUBNETS = ("subnet-a", "subnet-b", "subnet-c")


def tenant_ownership(tenant: str) -> Ownership:
    return Ownership("chronos-cloud", "sandbox", "acme-costs", tenant)


def network(*, nat_per_zone: bool = False) -> NetworkArgs:
    zones = ("us-east-1a", "us-east-1b", "us-east-1c")
    return NetworkArgs(PLATFORM, PLACE, "chronos-cloud-sandbox", "10.10.0.0/16", zones, nat_per_zone, 7)


def cluster(*, public_cidrs: tuple[str, ...] = (), protect: bool = False) -> ClusterArgs:
    return ClusterArgs(
        ownership=PLATFORM,
        place=PLACE,
        name="chronos-cloud-sandbox",
        kubernetes_version="1.35",
        network_id="vpc-1",
        subnet_ids=SUBNETS,
        service_cidr="172.20.0.0/16",
        public_cidrs=public_cidrs,
        admins=(f"arn:aws:iam::{ACCOUNT}:role/ci", f"arn:aws:iam::{ACCOUNT}:user/ada"),
        nodes=NodePool(1, 3, ("t3.large",), 50),
        log_retention_days=7,
        protect=protect,
    )


def postgres(*, protect: bool = False) -> PostgresArgs:
    return PostgresArgs(
        ownership=PLATFORM,
        place=PLACE,
        identifier="chronos-cloud-sandbox-postgres",
        database="tenants",
        version="18",
        machine_type="db.t4g.micro",
        storage_gib=20,
        storage_limit_gib=50,
        highly_available=False,
        backup_retention_days=7,
        network_id="vpc-1",
        subnet_ids=SUBNETS,
        client_security_groups={"nodes": "sg-nodes"},
        protect=protect,
    )


def redis(*, replicas: int = 0, protect: bool = False) -> RedisArgs:
    return RedisArgs(
        ownership=PLATFORM,
        place=PLACE,
        identifier="chronos-cloud-sandbox",
        version="7.1",
        machine_type="cache.t4g.micro",
        replicas=replicas,
        snapshot_retention_days=7,
        network_id="vpc-1",
        subnet_ids=SUBNETS,
        client_security_groups={"nodes": "sg-nodes"},
        tenants_keys="t:",
        protect=protect,
    )


def bucket(*, protect: bool = False) -> BucketArgs:
    return BucketArgs(PLATFORM, PLACE, "chronos-cloud-sandbox-objects", 30, protect)


def budget(emails: tuple[str, ...] = ("a@example.com",), webhooks: tuple[str, ...] = ()) -> BudgetAlertsArgs:
    return BudgetAlertsArgs(PLATFORM, PLACE, "chronos-cloud-sandbox-monthly", 290, emails, webhooks)


DATABASE_SECRET = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:control-AbCdEf"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:chronos-cloud-sandbox-monthly-alerts"


def notifier() -> NotifierArgs:
    name = "chronos-cloud-sandbox-notifier"
    return NotifierArgs(
        ownership=PLATFORM,
        place=PLACE,
        queue_name=name,
        topic=TOPIC,
        secret_name=f"{name}-sinks",
        recovery_days=0,
        role_name=name,
        oidc_issuer=ISSUER,
        oidc_provider=OIDC_PROVIDER,
        service_account=(NAMESPACE, SERVICE_ACCOUNT),
        database_secret=DATABASE_SECRET,
    )


def service_login() -> ServiceLoginArgs:
    return ServiceLoginArgs("control", Service.NOTIFIER.role, pulumi.Output.secret(CANARY))


def notifier_deployment() -> NotifierDeploymentArgs:
    return NotifierDeploymentArgs(
        ownership=PLATFORM,
        image="registry.example.com/freehold/services:1.2.3",
        service_account_annotations={"eks.amazonaws.com/role-arn": f"arn:aws:iam::{ACCOUNT}:role/notifier"},
        environment={"NOTIFIER_TOPIC_ARN": TOPIC},
    )


def runner(*, concurrency: int = 4) -> RunnerArgs:
    return RunnerArgs(
        ownership=PLATFORM,
        image="registry.example.com/freehold/runner@sha256:" + "0" * 64,
        cell="sandbox",
        backend="s3://state",
        service_account_annotations={"eks.amazonaws.com/role-arn": f"arn:aws:iam::{ACCOUNT}:role/runner"},
        environment={"AWS_REGION": "us-east-1"},
        concurrency=concurrency,
    )


BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/chronos-cloud-sandbox-tenant-boundary"
SECRETS_KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/secrets"


def runner_identity(backend: str = "s3://state/team?region=us-east-1") -> RunnerIdentityArgs:
    return RunnerIdentityArgs(
        ownership=PLATFORM,
        place=PLACE,
        role_name="chronos-cloud-sandbox-runner",
        oidc_issuer=ISSUER,
        oidc_provider=OIDC_PROVIDER,
        service_account=("freehold-runner", "runner"),
        cluster_name="chronos-cloud-sandbox",
        group="freehold:runner",
        project="freehold",
        cell="sandbox",
        backend=backend,
        secrets_key=SECRETS_KEY,
        database_secrets=(DATABASE_SECRET, f"{DATABASE_SECRET}-tenants"),
        bucket="arn:aws:s3:::objects",
        objects="tenants/",
        tenants=tenant_names.prefixes("chronos-cloud", "sandbox"),
        boundary=BOUNDARY,
        cache_user_group="group",
    )


def function_guard() -> FunctionGuardArgs:
    return FunctionGuardArgs(
        ownership=PLATFORM,
        place=PLACE,
        function_name="chronos-cloud-sandbox-billing",
        network_id="vpc-1",
        data_cidrs=("10.10.252.0/22",),
    )


def billing_webhook() -> BillingWebhookArgs:
    return BillingWebhookArgs(
        ownership=PLATFORM,
        place=PLACE,
        function_name="chronos-cloud-sandbox-billing",
        archive=Path(__file__),
        handler="services.billing.lambda_entry.handler",
        architecture="arm64",
        runtime="python3.13",
        livemode=False,
        subnet_ids=SUBNETS,
        security_group_id="sg-billing",
        role=f"arn:aws:iam::{ACCOUNT}:role/billing",
        role_name="billing",
        database_secret=DATABASE_SECRET,
        database_key=f"arn:aws:kms:us-east-1:{ACCOUNT}:key/k",
        authority="database-authority.pem",
        log_retention_days=30,
        concurrency=10,
        recovery_days=7,
        alarm_topics=(f"arn:aws:sns:us-east-1:{ACCOUNT}:alarms",),
    )


def objects(tenant: str, namespaces: tuple[str, ...]) -> ObjectAccessArgs:
    return ObjectAccessArgs(
        ownership=tenant_ownership(tenant),
        role_name=f"chronos-cloud-sandbox-t-{tenant}",
        bucket="arn:aws:s3:::objects",
        key=f"arn:aws:kms:us-east-1:{ACCOUNT}:key/k",
        prefix=f"tenants/{tenant}/",
        oidc_issuer=ISSUER,
        oidc_provider=OIDC_PROVIDER,
        service_accounts=tuple((namespace, "workload") for namespace in namespaces),
    )


def tenant(
    id: str, workspaces: tuple[str, ...] = ("default",), *, protect: bool = False, suspended: bool = False
) -> TenantWorkspaceArgs:
    return TenantWorkspaceArgs(
        ownership=tenant_ownership(id),
        cell="sandbox",
        workspaces=workspaces,
        size=SIZE,
        roles=BLUEPRINT.roles,
        workloads=((WORKLOAD, "registry.k8s.io/pause:3.10.1"),),
        cloud=CLOUD,
        shared=SharedServices(
            database_host="db",
            database_port=5432,
            database="tenants",
            cache_host="cache",
            cache_port=6379,
            cache_user_group="group",
            bucket_name="objects",
            bucket="arn:aws:s3:::objects",
            bucket_key=f"arn:aws:kms:us-east-1:{ACCOUNT}:key/k",
            oidc_issuer=ISSUER,
            oidc_provider=OIDC_PROVIDER,
            data_cidrs=["10.10.252.0/22"],
            service_cidr="172.20.0.0/16",
            region="us-east-1",
            role_boundary=BOUNDARY,
        ),
        protect=protect,
        suspended=suspended,
    )
