"""The inputs and outputs that a capability has on every cloud.

A component takes one of the `...Args` and offers the attributes of the protocol of the same name, so a program
picks `components.aws` or `components.gcp` and nothing after that asks which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import pulumi

from components.tags import Ownership


@dataclass(frozen=True)
class Place:
    """Where resources are made: the account (GCP: the project) and the region."""

    account: str
    region: str


@dataclass(frozen=True)
class NetworkArgs:
    """A private network over `zones`, each with a public, a private and a data subnet."""

    ownership: Ownership
    place: Place
    network_name: str
    cidr: str
    """IPv4 network, /16 to /20."""
    zones: tuple[str, ...]
    """Names of availability zones, in the order in which they get their subnets."""
    nat_per_zone: bool
    """One way out for each zone, which survives the loss of a zone; otherwise one for all."""
    log_retention_days: int


class Network(Protocol):
    """What the other components need of a network."""

    network_id: pulumi.Output[str]
    public_subnet_ids: list[pulumi.Output[str]]
    private_subnet_ids: list[pulumi.Output[str]]
    data_subnet_ids: list[pulumi.Output[str]]
    data_cidrs: list[str]


@dataclass(frozen=True)
class NodePool:
    """How many machines of which kinds a cluster runs."""

    minimum: int
    maximum: int
    machine_types: tuple[str, ...]
    disk_gib: int


@dataclass(frozen=True)
class ClusterArgs:
    """A managed Kubernetes cluster in private subnets."""

    ownership: Ownership
    place: Place
    name: str
    kubernetes_version: str
    network_id: pulumi.Input[str]
    subnet_ids: tuple[pulumi.Input[str], ...]
    service_cidr: str
    public_cidrs: tuple[str, ...]
    """Who may reach the API server from outside; empty closes the public endpoint."""
    admins: tuple[str, ...]
    """Principals who administer the cluster (AWS: IAM ARNs)."""
    nodes: NodePool
    log_retention_days: int
    protect: bool
    operator_cidrs: tuple[str, ...] = ()
    """Private networks, beside the cluster's own nodes, that reach the API server's private addresses."""


class Cluster(Protocol):
    """What programs need to work in a cluster and to let its workloads reach the cloud."""

    cluster_name: pulumi.Output[str]
    endpoint: pulumi.Output[str]
    kubeconfig: pulumi.Output[str]
    """JSON without any credential: it logs in by a command of the cloud's own tool."""
    security_group_id: pulumi.Output[str]
    oidc_issuer: pulumi.Output[str]
    oidc_provider: pulumi.Output[str]
    ready: pulumi.Resource
    """Nodes and add-ons. What runs pods comes after it, and goes before it: pods that nothing can move hold up the end
    of their node, and disks are deleted by an add-on."""


@dataclass(frozen=True)
class NodeScalingArgs:
    """What lets one service account of a cluster change the number of its nodes."""

    ownership: Ownership
    place: Place
    physical_name: str
    """The cluster's, known before it is made."""
    cluster_name: pulumi.Input[str]
    oidc_issuer: pulumi.Input[str]
    oidc_provider: pulumi.Input[str]
    service_account: tuple[str, str]
    """Namespace and name."""


class NodeScaling(Protocol):
    """What a node autoscaler is told by its cloud."""

    service_account_annotations: pulumi.Output[Mapping[str, str]]
    arguments: Sequence[pulumi.Output[str]]
    environment: Mapping[str, str]


@dataclass(frozen=True)
class DiskDriver:
    """What makes a cluster's disks, and what it is told of each."""

    provisioner: str
    parameters: Mapping[str, str]


@dataclass(frozen=True)
class PostgresArgs:
    """A managed Postgres server that only the private network reaches."""

    ownership: Ownership
    place: Place
    identifier: str
    database: str
    version: str
    machine_type: str
    storage_gib: int
    storage_limit_gib: int
    highly_available: bool
    backup_retention_days: int
    network_id: pulumi.Input[str]
    subnet_ids: tuple[pulumi.Input[str], ...]
    client_security_groups: Mapping[str, pulumi.Input[str]]
    """Who may connect: a stable key for each security group."""
    protect: bool
    parameters: Mapping[str, str] = field(default_factory=dict)
    client_cidrs: tuple[str, ...] = ()
    """Private networks that may connect as well."""


class Postgres(Protocol):
    """Where a Postgres server is, and where its administrator's password is kept."""

    identifier: pulumi.Output[str]
    host: pulumi.Output[str]
    port: pulumi.Output[int]
    database: str
    username: str
    password: pulumi.Output[str]
    """Secret."""
    admin_secret: pulumi.Output[str]
    """Reference into the cloud's secret manager, not a secret itself."""
    admin_key: pulumi.Output[str]
    """The key that encrypts it (AWS: its ARN)."""


@dataclass(frozen=True)
class RedisArgs:
    """A managed Redis over TLS, whose users come from a user group."""

    ownership: Ownership
    place: Place
    identifier: str
    version: str
    machine_type: str
    replicas: int
    """Copies beside the primary; 1 or more fail over automatically to another zone."""
    snapshot_retention_days: int
    network_id: pulumi.Input[str]
    subnet_ids: tuple[pulumi.Input[str], ...]
    client_security_groups: Mapping[str, pulumi.Input[str]]
    protect: bool


class Redis(Protocol):
    """Where a Redis is and where its users are declared."""

    identifier: pulumi.Output[str]
    host: pulumi.Output[str]
    port: pulumi.Output[int]
    user_group: pulumi.Output[str]
    admin_secret: pulumi.Output[str]


@dataclass(frozen=True)
class BucketArgs:
    """A private, encrypted, versioned bucket."""

    ownership: Ownership
    place: Place
    bucket_name: str
    noncurrent_retention_days: int
    """How long a replaced or deleted object can still be brought back."""
    protect: bool


class Bucket(Protocol):
    """A bucket and the key that encrypts it."""

    bucket_name: pulumi.Output[str]
    bucket: pulumi.Output[str]
    """The cloud's own identity of the bucket (AWS: its ARN)."""
    key: pulumi.Output[str]


@dataclass(frozen=True)
class TenantBoundaryArgs:
    """The most that a tenant's role may be allowed."""

    ownership: Ownership
    policy_name: str
    bucket: pulumi.Input[str]
    key: pulumi.Input[str]
    prefix: str
    """What the objects of all tenants start with; ends in a slash."""


class TenantBoundary(Protocol):
    reference: pulumi.Output[str]
    """What a role is given to keep within it (AWS: the policy's ARN)."""


@dataclass(frozen=True)
class BudgetAlertsArgs:
    """A monthly budget whose alerts reach people."""

    ownership: Ownership
    place: Place
    budget_name: str
    monthly_usd: int
    emails: tuple[str, ...] = ()
    webhooks: tuple[str, ...] = ()
    """HTTPS addresses (chat, paging)."""
    by_environment_tag: bool = False
    """Count only what carries this environment's tag. Needs the tag to be activated for cost allocation: until it is,
    the budget counts nothing and never alerts. False counts the whole account."""
    thresholds_actual_percent: tuple[int, ...] = (80, 95, 100)
    thresholds_forecast_percent: tuple[int, ...] = (100,)


class BudgetAlerts(Protocol):
    """A budget and the topic that its alerts go to."""

    budget_name: pulumi.Output[str]
    topic: pulumi.Output[str]


@dataclass(frozen=True)
class NotifierArgs:
    """How budget alerts reach the notifier."""

    ownership: Ownership
    place: Place
    queue_name: str
    topic: pulumi.Input[str]
    """Where the budget's alerts are published."""
    secret_name: str
    recovery_days: int
    """How long the deleted secret of the sinks can be brought back; 0 deletes at once."""
    role_name: str
    oidc_issuer: pulumi.Input[str]
    oidc_provider: pulumi.Input[str]
    service_account: tuple[str, str]
    """Namespace and service account that the notifier runs as."""
    database_secret: pulumi.Input[str]
    """Reference to the way into the control database."""


class Notifier(Protocol):
    """A queue with the alerts, one for what cannot be delivered, and the secret that says where they are sent."""

    queue: pulumi.Output[str]
    """The cloud's own identity of the queue (AWS: its ARN)."""
    queue_url: pulumi.Output[str]
    dead_letter_queue: pulumi.Output[str]
    dead_letter_queue_url: pulumi.Output[str]
    sinks_secret: pulumi.Output[str]
    """Reference into the cloud's secret manager; made without a value."""
    service_account_annotations: pulumi.Output[Mapping[str, str]]
    """What the notifier's service account must carry to be given its role."""


@dataclass(frozen=True)
class TenantPrefixes:
    """What the names of all that tenants of one cell have in the cloud begin with, and nothing else's."""

    role: str
    cache_user: str
    secret: str


@dataclass(frozen=True)
class RunnerIdentityArgs:
    """What lets the runner build, change, suspend and destroy the tenants of its cell."""

    ownership: Ownership
    place: Place
    role_name: str
    oidc_issuer: pulumi.Input[str]
    oidc_provider: pulumi.Input[str]
    service_account: tuple[str, str]
    """Namespace and service account that the runner runs as."""
    cluster_name: pulumi.Input[str]
    group: str
    """The Kubernetes group that it logs in with."""
    project: str
    cell: str
    """The platform's stack, whose state it reads."""
    backend: str
    """Where the state of the project's stacks is kept, as the engine is told."""
    secrets_key: str
    """The key that encrypts secrets in the state (AWS: its ARN)."""
    database_secrets: tuple[pulumi.Input[str], ...]
    """References to the ways into the databases that it works in."""
    tenants: TenantPrefixes
    boundary: pulumi.Input[str]
    """Of the cell's `TenantBoundary`: the runner makes no role that goes beyond it."""
    cache_user_group: pulumi.Input[str]


class RunnerIdentity(Protocol):
    """Who the runner is for its cloud and its cluster."""

    service_account_annotations: pulumi.Output[Mapping[str, str]]
    """What the runner's service account must carry to be given its role."""
    environment: Mapping[str, str]
    """What the cloud's tools want to know."""


@dataclass(frozen=True)
class FunctionGuardArgs:
    """What a function in the private network may reach."""

    ownership: Ownership
    function_name: str
    network_id: pulumi.Input[str]
    data_cidrs: tuple[str, ...]
    """Where its databases are."""


class FunctionGuard(Protocol):
    security_group_id: pulumi.Output[str]
    """What a database has to let in."""


@dataclass(frozen=True)
class BillingWebhookArgs:
    """The function that takes billing events."""

    ownership: Ownership
    place: Place
    function_name: str
    archive: Path
    """What `services.package` built for `architecture` and `runtime`."""
    handler: str
    architecture: Literal["arm64", "x86_64"]
    runtime: str
    livemode: bool
    subnet_ids: tuple[pulumi.Input[str], ...]
    """Private subnets with a way out: the function asks the secret manager."""
    security_group_id: pulumi.Input[str]
    """Of its `FunctionGuard`."""
    database_secret: pulumi.Input[str]
    """Reference to JSON: host, port, database, username, password."""
    database_key: pulumi.Input[str]
    """The key that encrypts it (AWS: its ARN)."""
    authority: str
    """Path, in the archive, of the certificates that vouch for the database's server."""
    log_retention_days: int
    concurrency: int
    """Calls at a time at most, each with a connection to the control database. What is more is sent again by Stripe."""
    recovery_days: int
    """How long a deleted signing secret can be brought back; 0 deletes at once."""
    alarm_topics: tuple[pulumi.Input[str], ...] = ()
    """Topics that the cloud's alarms may publish to."""


class BillingWebhook(Protocol):
    """A public address for Stripe, and the secret that its signatures are checked by."""

    url: pulumi.Output[str]
    signing_secret: pulumi.Output[str]
    """Reference into the cloud's secret manager; made without a value."""


@dataclass(frozen=True)
class CacheUserArgs:
    """One tenant's user in a shared Redis."""

    ownership: Ownership
    user_id: str
    username: str
    prefix: str
    """What the user's keys and channels start with."""
    user_group: pulumi.Input[str]
    suspended: bool = False
    """The user is there with its keys, and nobody may log in as it."""


class CacheUser(Protocol):
    username: str
    password: pulumi.Output[str]
    """Secret."""


@dataclass(frozen=True)
class ObjectAccessArgs:
    """The right to one prefix of a bucket, for named Kubernetes service accounts only."""

    ownership: Ownership
    role_name: str
    bucket: pulumi.Input[str]
    key: pulumi.Input[str]
    prefix: str
    """Ends in a slash."""
    oidc_issuer: pulumi.Input[str]
    oidc_provider: pulumi.Input[str]
    service_accounts: tuple[tuple[str, str], ...]
    """Pairs of namespace and service account."""
    suspended: bool = False
    """Nobody may take the role, and whoever has taken it may do nothing more."""
    boundary: pulumi.Input[str | None] = None
    """Of the cell's `TenantBoundary`."""


class ObjectAccess(Protocol):
    role: pulumi.Output[str]
    service_account_annotations: pulumi.Output[Mapping[str, str]]
    """What a service account must carry to be given the role."""


@dataclass(frozen=True)
class StoredSecretArgs:
    """A record in the cloud's secret manager."""

    ownership: Ownership
    secret_name: str
    description: str
    value: pulumi.Input[Mapping[str, Any]]
    """Stored as JSON."""
    key: pulumi.Input[str] | None
    """The key that encrypts it; None is the cloud's default key for secrets."""
    recovery_days: int
    """How long a deleted secret can be brought back; 0 deletes at once."""


class StoredSecret(Protocol):
    reference: pulumi.Output[str]


@dataclass(frozen=True)
class PlatformCloud:
    """A cloud's pieces of a platform."""

    provider: Callable[[str, pulumi.Input[str]], pulumi.ProviderResource]
    """From a resource name and a region."""
    account: Callable[[pulumi.ProviderResource], str]
    """Who pays: the account (GCP: the project) that the provider's credentials belong to."""
    deployer: Callable[[pulumi.ProviderResource], str]
    """The principal that the program runs as, in the form that `ClusterArgs.admins` takes."""
    zones: Callable[[pulumi.ProviderResource, int], tuple[str, ...]]
    """The first so many zones of the provider's region."""
    network: Callable[[str, NetworkArgs, pulumi.ResourceOptions], Network]
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
    billing_webhook: Callable[[str, BillingWebhookArgs, pulumi.ResourceOptions], BillingWebhook]
    stored_secret: Callable[[str, StoredSecretArgs, pulumi.ResourceOptions], StoredSecret]


@dataclass(frozen=True)
class TenantCloud:
    """A cloud's pieces of a tenant's workspace."""

    provider: Callable[[str, pulumi.Input[str]], pulumi.ProviderResource]
    read_secret: Callable[[pulumi.Input[str], pulumi.ProviderResource], pulumi.Output[Mapping[str, Any]]]
    """The JSON behind a reference that a `StoredSecret` gave; the output is secret."""
    cache_user: Callable[[str, CacheUserArgs, pulumi.ResourceOptions], CacheUser]
    object_access: Callable[[str, ObjectAccessArgs, pulumi.ResourceOptions], ObjectAccess]
    stored_secret: Callable[[str, StoredSecretArgs, pulumi.ResourceOptions], StoredSecret]
