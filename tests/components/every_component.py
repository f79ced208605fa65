"""One sample of each component class."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

import pulumi

from catalog.identifiers import OBJECTS
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
from components.aws.tenant_boundary import TenantBoundary
from components.aws.workload_role import WorkloadRole, WorkloadRoleArgs
from components.contracts.cache_user import CacheUserArgs
from components.contracts.cluster import NodePool
from components.contracts.node_scaling import NodeScalingArgs
from components.contracts.stored_secret import StoredSecretArgs
from components.contracts.tenant_boundary import TenantBoundaryArgs
from components.kubernetes.access import Access, AccessArgs
from components.kubernetes.autoscaling import Autoscaling, AutoscalingArgs
from components.kubernetes.closed_namespace import ClosedNamespace, ClosedNamespaceArgs
from components.kubernetes.default_storage import DefaultStorage, DefaultStorageArgs
from components.kubernetes.node_autoscaler import NodeAutoscaler, NodeAutoscalerArgs
from components.kubernetes.notifier import NotifierDeployment
from components.kubernetes.quota import Quota, QuotaArgs
from components.kubernetes.runner import Runner
from components.kubernetes.runner_rights import RunnerRights, RunnerRightsArgs
from components.kubernetes.tenant_rules import TenantRules, TenantRulesArgs
from components.kubernetes.traffic import Traffic, TrafficArgs
from components.kubernetes.workload import Workload, WorkloadArgs
from components.kubernetes.workspace import Workspace, WorkspaceArgs
from components.service_login import ServiceLogin
from components.shared_database import SharedDatabase, SharedDatabaseArgs
from components.tenant import TenantWorkspace
from components.tenant_schema import TenantSchema, TenantSchemaArgs
from tests.components import samples
from tests.components.recording import ACCOUNT, CANARY, Recording, declare
from tests.components.samples import ISSUER, OIDC_PROVIDER, PLACE, PLATFORM, SIZE, SUBNETS, WORKLOAD, tenant_ownership


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
    BillingWebhook: lambda name, opts: BillingWebhook(name, samples.billing_webhook(), opts),
    FunctionGuard: lambda name, opts: FunctionGuard(name, samples.function_guard(), opts),
    Bucket: lambda name, opts: Bucket(name, samples.bucket(), opts),
    BudgetAlerts: lambda name, opts: BudgetAlerts(name, samples.budget(), opts),
    Notifier: lambda name, opts: Notifier(name, samples.notifier(), opts),
    NotifierDeployment: lambda name, opts: NotifierDeployment(name, samples.notifier_deployment(), opts),
    CacheUser: lambda name, opts: CacheUser(
        name, CacheUserArgs(tenant_ownership("acme"), "sandbox-t-acme", "t-acme", "t:acme:", "group"), opts
    ),
    ClosedNamespace: lambda name, opts: ClosedNamespace(name, ClosedNamespaceArgs(PLATFORM, "freehold-runner"), opts),
    ClosedSecurityGroup: lambda name, opts: ClosedSecurityGroup(
        name, ClosedSecurityGroupArgs(PLATFORM, "db", "vpc-1", 5432, {"nodes": "sg-nodes"}), opts
    ),
    Cluster: lambda name, opts: Cluster(name, samples.cluster(), opts),
    ClusterAddons: lambda name, opts: ClusterAddons(name, _addons(), opts),
    DefaultStorage: lambda name, opts: DefaultStorage(
        name, DefaultStorageArgs(PLATFORM, "disks.example.com", {"encrypted": "true"}), opts
    ),
    Enclosure: lambda name, opts: Enclosure(
        name,
        EnclosureArgs(PLATFORM, PLACE, "db", "Data of", ("rds",), "vpc-1", 5432, {"nodes": "sg-nodes"}, False),
        opts,
    ),
    FlowLogs: lambda name, opts: FlowLogs(name, FlowLogsArgs(PLATFORM, PLACE, "net", "vpc-1", 7), opts),
    Key: lambda name, opts: Key(name, KeyArgs(PLATFORM, "Samples", "sample", PLACE, ("rds",)), opts),
    Network: lambda name, opts: Network(name, samples.network(), opts),
    NodeGroup: lambda name, opts: NodeGroup(
        name,
        NodeGroupArgs(PLATFORM, PLACE, "c", "c-nodes", "1.35", SUBNETS, ("sg-1",), NodePool(1, 3, ("t3.large",), 50)),
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
    ObjectAccess: lambda name, opts: ObjectAccess(name, samples.objects("acme", ("t-acme--default",)), opts),
    Postgres: lambda name, opts: Postgres(name, samples.postgres(), opts),
    Quota: lambda name, opts: Quota(name, QuotaArgs(tenant_ownership("acme"), "t-acme--default", SIZE), opts),
    Redis: lambda name, opts: Redis(name, samples.redis(), opts),
    ServiceLogin: lambda name, opts: ServiceLogin(name, samples.service_login(), opts),
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
    TenantWorkspace: lambda name, opts: TenantWorkspace(name, samples.tenant("acme"), opts),
    TenantRules: lambda name, opts: TenantRules(name, TenantRulesArgs(PLATFORM), opts),
    Traffic: lambda name, opts: Traffic(
        name,
        TrafficArgs(tenant_ownership("acme"), "t-acme--default", ["10.10.252.0/22"], [5432, 6379], "172.20.0.0/16"),
        opts,
    ),
    Runner: lambda name, opts: Runner(name, samples.runner(), opts),
    RunnerIdentity: lambda name, opts: RunnerIdentity(name, samples.runner_identity(), opts),
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


def declared(sample: type[pulumi.ComponentResource], *, preview: bool = False) -> Recording:
    """What the sample of this class declares, as `recording.declare` tells it: made once for all who look at it."""
    return _declared(sample.__name__, preview)


@functools.cache
def _declared(name: str, preview: bool) -> Recording:
    (sample,) = (make for component, make in SAMPLES.items() if component.__name__ == name)
    return declare(lambda: sample("sample", None), preview=preview)
