"""One sample of each component class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pulumi

from catalog.blueprints import load
from catalog.identifiers import OBJECTS
from catalog.services import Service
from components import tenant_names
from components.aws.billing_webhook import BillingWebhook
from components.aws.bucket import Bucket
from components.aws.budget_alerts import BudgetAlerts
from components.aws.cache_user import CacheUser
from components.aws.closed_security_group import ClosedSecurityGroup, ClosedSecurityGroupArgs
from components.aws.cluster import Cluster
from components.aws.cluster_addons import ClusterAddons, ClusterAddonsArgs
from components.aws.enclosure import Enclosure, EnclosureArgs
from components.aws.flow_logs import FlowLogs, FlowLogsArgs
from components.aws.function_guard import FunctionGuard
from components.aws.key import Key, KeyArgs
from components.aws.network import Network
from components.aws.node_group import NodeGroup, NodeGroupArgs
from components.aws.node_scaling import NodeScaling
from components.aws.notifier import Notifier
from components.aws.object_access import ObjectAccess
from components.aws.postgres import Postgres
from components.aws.redis import Redis
from components.aws.runner_identity import RunnerIdentity
from components.aws.stored_secret import StoredSecret
from components.aws.tenancy import CLOUD
from components.aws.tenant_boundary import TenantBoundary
from components.aws.workload_role import WorkloadRole, WorkloadRoleArgs
from components.contracts import (
    BillingWebhookArgs,
    BucketArgs,
    BudgetAlertsArgs,
    CacheUserArgs,
    ClusterArgs,
    FunctionGuardArgs,
    NetworkArgs,
    NodePool,
    NodeScalingArgs,
    NotifierArgs,
    ObjectAccessArgs,
    Place,
    PostgresArgs,
    RedisArgs,
    RunnerIdentityArgs,
    StoredSecretArgs,
    TenantBoundaryArgs,
)
from components.kubernetes.access import Access, AccessArgs
from components.kubernetes.autoscaling import Autoscaling, AutoscalingArgs
from components.kubernetes.default_storage import DefaultStorage, DefaultStorageArgs
from components.kubernetes.node_autoscaler import NodeAutoscaler, NodeAutoscalerArgs
from components.kubernetes.notifier import NAMESPACE, SERVICE_ACCOUNT, NotifierDeployment, NotifierDeploymentArgs
from components.kubernetes.quota import Quota, QuotaArgs
from components.kubernetes.runner import Runner, RunnerArgs
from components.kubernetes.runner_rights import RunnerRights, RunnerRightsArgs
from components.kubernetes.tenant_rules import TenantRules, TenantRulesArgs
from components.kubernetes.traffic import Traffic, TrafficArgs
from components.kubernetes.workload import Workload, WorkloadArgs
from components.kubernetes.workspace import Workspace, WorkspaceArgs
from components.service_login import ServiceLogin, ServiceLoginArgs
from components.shared_database import SharedDatabase, SharedDatabaseArgs
from components.tags import Ownership
from components.tenant import SharedServices, TenantWorkspace, TenantWorkspaceArgs
from components.tenant_schema import TenantSchema, TenantSchemaArgs
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
        tenants=tenant_names.prefixes("chronos-cloud", "sandbox"),
        boundary=BOUNDARY,
        cache_user_group="group",
    )


def function_guard() -> FunctionGuardArgs:
    return FunctionGuardArgs(
        ownership=PLATFORM,
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


def _addons() -> ClusterAddonsArgs:
    return ClusterAddonsArgs(PLATFORM, PLACE, "c", "chronos-cloud-sandbox", ISSUER, OIDC_PROVIDER, "1.35", True)


def _workspace() -> WorkspaceArgs:
    return WorkspaceArgs(
        ownership=tenant_ownership("acme"),
        namespace="t-acme--default",
        size=SIZE,
        operator_groups=("freehold:t:acme:owner",),
        viewer_groups=("freehold:t:acme:viewer",),
        service_account_annotations={"eks.amazonaws.com/role-arn": "arn"},
        data_cidrs=["10.10.252.0/22"],
        data_ports=[5432, 6379],
        service_cidr="172.20.0.0/16",
        connections={"DATABASE_URL": pulumi.Output.secret(f"postgresql://u:{CANARY}@h/d")},
        workloads=((WORKLOAD, "registry.k8s.io/pause:3.10.1"),),
    )


Sample = Callable[[str, pulumi.ResourceOptions | None], pulumi.ComponentResource]

SAMPLES: Mapping[type[pulumi.ComponentResource], Sample] = {
    Access: lambda name, opts: Access(
        name,
        AccessArgs(tenant_ownership("acme"), "t-acme--default", ("freehold:t:acme:owner",), ("v",), {"k": "v"}),
        opts,
    ),
    Autoscaling: lambda name, opts: Autoscaling(
        name, AutoscalingArgs(tenant_ownership("acme"), "t-acme--default", "scheduler", "scheduler", 1, 3), opts
    ),
    BillingWebhook: lambda name, opts: BillingWebhook(name, billing_webhook(), opts),
    FunctionGuard: lambda name, opts: FunctionGuard(name, function_guard(), opts),
    Bucket: lambda name, opts: Bucket(name, bucket(), opts),
    BudgetAlerts: lambda name, opts: BudgetAlerts(name, budget(), opts),
    Notifier: lambda name, opts: Notifier(name, notifier(), opts),
    NotifierDeployment: lambda name, opts: NotifierDeployment(name, notifier_deployment(), opts),
    CacheUser: lambda name, opts: CacheUser(
        name, CacheUserArgs(tenant_ownership("acme"), "sandbox-t-acme", "t-acme", "t:acme:", "group"), opts
    ),
    ClosedSecurityGroup: lambda name, opts: ClosedSecurityGroup(
        name, ClosedSecurityGroupArgs(PLATFORM, "db", "vpc-1", 5432, {"nodes": "sg-nodes"}), opts
    ),
    Cluster: lambda name, opts: Cluster(name, cluster(), opts),
    ClusterAddons: lambda name, opts: ClusterAddons(name, _addons(), opts),
    DefaultStorage: lambda name, opts: DefaultStorage(
        name, DefaultStorageArgs(PLATFORM, "disks.example.com", {"encrypted": "true"}), opts
    ),
    Enclosure: lambda name, opts: Enclosure(
        name,
        EnclosureArgs(PLATFORM, PLACE, "db", "Data of", "rds", "vpc-1", 5432, {"nodes": "sg-nodes"}, False),
        opts,
    ),
    FlowLogs: lambda name, opts: FlowLogs(name, FlowLogsArgs(PLATFORM, PLACE, "net", "vpc-1", 7), opts),
    Key: lambda name, opts: Key(name, KeyArgs(PLATFORM, "Samples", "sample", PLACE, ("rds",)), opts),
    Network: lambda name, opts: Network(name, network(), opts),
    NodeGroup: lambda name, opts: NodeGroup(
        name,
        NodeGroupArgs(PLATFORM, PLACE, "c", "c-nodes", SUBNETS, ("sg-1",), NodePool(1, 3, ("t3.large",), 50)),
        opts,
    ),
    NodeAutoscaler: lambda name, opts: NodeAutoscaler(
        name,
        NodeAutoscalerArgs(PLATFORM, "1.35", ("--cloud-provider=example",), {"REGION": "here"}, {"role": "r"}),
        opts,
    ),
    NodeScaling: lambda name, opts: NodeScaling(
        name,
        NodeScalingArgs(
            PLATFORM, PLACE, "chronos-cloud-sandbox", "c", ISSUER, OIDC_PROVIDER, ("kube-system", "cluster-autoscaler")
        ),
        opts,
    ),
    ObjectAccess: lambda name, opts: ObjectAccess(name, objects("acme", ("t-acme--default",)), opts),
    Postgres: lambda name, opts: Postgres(name, postgres(), opts),
    Quota: lambda name, opts: Quota(name, QuotaArgs(tenant_ownership("acme"), "t-acme--default", SIZE), opts),
    Redis: lambda name, opts: Redis(name, redis(), opts),
    ServiceLogin: lambda name, opts: ServiceLogin(name, service_login(), opts),
    SharedDatabase: lambda name, opts: SharedDatabase(
        name, SharedDatabaseArgs("db", 5432, "freehold", pulumi.Output.secret(CANARY), "tenants"), opts
    ),
    StoredSecret: lambda name, opts: StoredSecret(
        name, StoredSecretArgs(PLATFORM, "a/b", "Sample", {"password": pulumi.Output.secret(CANARY)}, None, 0), opts
    ),
    TenantBoundary: lambda name, opts: TenantBoundary(
        name,
        TenantBoundaryArgs(
            PLATFORM,
            "chronos-cloud-sandbox-b",
            "arn:aws:s3:::objects",
            f"arn:aws:kms:us-east-1:{ACCOUNT}:key/k",
            OBJECTS,
        ),
        opts,
    ),
    TenantSchema: lambda name, opts: TenantSchema(name, TenantSchemaArgs("tenants", "t_acme", 10, False), opts),
    TenantWorkspace: lambda name, opts: TenantWorkspace(name, tenant("acme"), opts),
    TenantRules: lambda name, opts: TenantRules(name, TenantRulesArgs(PLATFORM), opts),
    Traffic: lambda name, opts: Traffic(
        name,
        TrafficArgs(tenant_ownership("acme"), "t-acme--default", ["10.10.252.0/22"], [5432, 6379], "172.20.0.0/16"),
        opts,
    ),
    Runner: lambda name, opts: Runner(name, runner(), opts),
    RunnerIdentity: lambda name, opts: RunnerIdentity(name, runner_identity(), opts),
    RunnerRights: lambda name, opts: RunnerRights(name, RunnerRightsArgs(PLATFORM), opts),
    Workload: lambda name, opts: Workload(
        name,
        WorkloadArgs(tenant_ownership("acme"), "t-acme--default", WORKLOAD, "i:1", 3, "workload", "connections"),
        opts,
    ),
    WorkloadRole: lambda name, opts: WorkloadRole(
        name,
        WorkloadRoleArgs(
            PLATFORM,
            "role",
            ISSUER,
            OIDC_PROVIDER,
            (("kube-system", "aws-node"),),
            statements=({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::objects/x"},),
            managed_policies=("arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy",),
        ),
        opts,
    ),
    Workspace: lambda name, opts: Workspace(name, _workspace(), opts),
}
"""Each declares under the given name and options."""


def declared(sample: type[pulumi.ComponentResource], **choices: Any) -> Any:
    """What the sample of this class declares, as `recording.declare` tells it."""
    from tests.components.recording import declare

    return declare(lambda: SAMPLES[sample]("sample", None), **choices)
