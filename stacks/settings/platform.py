"""The configuration of a platform, one model for each component's key."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from catalog.forms import form
from catalog.limits import CACHE_USERS_MAXIMUM, CACHE_USERS_OF_THE_PLATFORM
from stacks.networks import (
    PRIVATE,
    PUBLIC_MOST,
    RESERVED,
    Cidr,
    NetworkCidr,
    PrivateCidr,
    ServiceCidr,
    addresses,
    overlap,
    parse,
)
from stacks.settings.base import (
    BlueprintName,
    CostCentre,
    Distinct,
    Email,
    Enabled,
    LogRetention,
    PinnedImage,
    Region,
    Settings,
)
from stacks.settings.subscribers import Webhook
from stacks.settings.workloads import WorkloadSettings, check_known

PUBLIC_CIDRS_MAXIMUM: Final = 40
"""EKS' quota of ranges for the public endpoint, which AWS does not raise:
https://docs.aws.amazon.com/eks/latest/userguide/service-quotas.html"""


IamPrincipal = Annotated[
    str,
    form(
        r"arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/[\w+=,.@/-]+",
        "ARN of an IAM role or user, such as arn:aws:iam::111122223333:role/admin",
    ),
]
"""The ARN of a role or user. An access entry takes no session of a role (`assumed-role`) and no account:
https://docs.aws.amazon.com/eks/latest/userguide/creating-access-entries.html"""


# Family and size; RDS and ElastiCache put their own name before them. Whether a region has one, the cloud alone tells:
# https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html
_FAMILY_AND_SIZE = r"[a-z][a-z0-9-]*\.[a-z0-9-]+"
NodeMachine = Annotated[str, form(_FAMILY_AND_SIZE, "machine type of EC2 such as m6i.large")]
DatabaseMachine = Annotated[str, form(rf"db\.{_FAMILY_AND_SIZE}", "machine type of RDS such as db.m7g.large")]
CacheMachine = Annotated[
    str, form(rf"cache\.{_FAMILY_AND_SIZE}", "machine type of ElastiCache such as cache.m7g.large")
]


class NetworkSettings(Settings):
    cidr: NetworkCidr
    zones: Annotated[tuple[str, ...], Field(min_length=3, max_length=3), Distinct] | None = None
    """Three availability zones, in the order in which they have their subnets. The sandbox alone may leave them out: it
    takes the region's first three by name, and a cloud's list changes, which would replace nearly all subnets."""
    nat_per_zone: bool = False
    peers: tuple[Cidr, ...] = ()
    """Networks that this one is or will be connected to, which it therefore may not overlap."""
    operators: Annotated[tuple[PrivateCidr, ...], Distinct] = ()
    """Private networks (a VPN's, a peer's, subnets of this one) from which programs and people reach the API server and
    the databases; absent, the cluster's nodes alone do."""
    log_retention_days: LogRetention = 30


class NodeSettings(Settings):
    minimum: int = Field(ge=1, le=450)
    maximum: int = Field(ge=1, le=450)
    """450 is EKS' quota of nodes in a managed node group."""
    machine_types: Annotated[tuple[NodeMachine, ...], Field(min_length=1), Distinct]
    disk_gib: int = Field(default=50, ge=20, le=16384)

    @model_validator(mode="after")
    def _ordered(self) -> NodeSettings:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} exceeds maximum {self.maximum}")
        return self


class ClusterSettings(Settings):
    version: Annotated[str, form(r"1\.[0-9]{2}", "version of Kubernetes such as 1.35")]
    extended_support: bool = True
    """Whether the cluster keeps its version after the end of standard support, for a fee. Without, AWS moves it to the
    next one unrehearsed, at a time of its own, and the program, which still names the old one, is refused until it is
    changed: a bill is the smaller surprise."""
    service_cidr: ServiceCidr = "172.20.0.0/16"
    public_cidrs: Annotated[tuple[Cidr, ...], Distinct] = ()
    """Who may reach the API server from outside the network; absent, nobody."""
    admins: Annotated[tuple[IamPrincipal, ...], Distinct] = ()
    """Who administers the cluster; whoever runs the program must be among them to work in it. The sandbox alone may
    leave it out: its one operator administers it then."""
    nodes: NodeSettings
    log_retention_days: LogRetention = 90

    @field_validator("public_cidrs")
    @classmethod
    def _not_the_world(cls, cidrs: tuple[str, ...]) -> tuple[str, ...]:
        for cidr in cidrs:
            network = parse(cidr)
            if network.prefixlen < 8:
                raise ValueError(f"{cidr} would open the API server to the world; name the networks that need it")
            # https://docs.aws.amazon.com/eks/latest/userguide/config-cluster-endpoint.html: no reserved addresses
            if any(network.overlaps(private) for private in PRIVATE):
                raise ValueError(f"{cidr} is private, and private addresses reach the API server anyway; leave it out")
            if any(network.overlaps(reserved) for reserved in RESERVED):
                raise ValueError(f"{cidr} holds reserved addresses, which EKS refuses; leave it out")
        if addresses(cidrs) > PUBLIC_MOST:
            raise ValueError("together they would open the API server to the world; name the networks that need it")
        if len(cidrs) > PUBLIC_CIDRS_MAXIMUM:
            raise ValueError(f"there are {len(cidrs)}; EKS takes {PUBLIC_CIDRS_MAXIMUM} at most, join some")
        return cidrs


class PostgresSettings(Settings):
    version: Annotated[str, form(r"1[5-9]", "version of Postgres between 15 and 19")] = "18"
    machine_type: DatabaseMachine
    storage_gib: int = Field(ge=20, le=65536)
    storage_limit_gib: int = Field(ge=20, le=65536)
    """How far storage grows by itself; RDS wants it a tenth above what there is:
    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.Autoscaling.html"""
    highly_available: bool = False
    backup_retention_days: int = Field(ge=7, le=35)
    major_upgrade: bool = False
    """Whether `version` may be raised on a server that is there, at once and for good; to be taken out after the run
    that does it (docs/upgrade.md). Without it the cloud refuses another major version."""

    @model_validator(mode="after")
    def _ordered(self) -> PostgresSettings:
        if self.storage_limit_gib * 10 < self.storage_gib * 11:
            raise ValueError(
                f"storageLimitGib {self.storage_limit_gib} is less than a tenth above storageGib {self.storage_gib}"
            )
        return self


class RedisSettings(Settings):
    version: Annotated[str, form(r"7\.[01]", "version of Redis that ElastiCache has: 7.0 or 7.1")] = "7.1"
    """The last Redis of ElastiCache is 7.1: what follows there is Valkey."""
    machine_type: CacheMachine
    replicas: int = Field(default=0, ge=0, le=5)
    snapshot_retention_days: int = Field(default=7, ge=1, le=35)
    users_maximum: int = Field(default=CACHE_USERS_MAXIMUM, ge=CACHE_USERS_OF_THE_PLATFORM + 1)
    """The account's quota of users in one user group: it bounds the tenants of the cell (docs/limits.md)."""


class BucketSettings(Settings):
    noncurrent_retention_days: int = Field(default=30, ge=1, le=3650)


class BudgetSettings(Settings):
    monthly_usd: int = Field(gt=0)
    emails: tuple[Email, ...] = ()
    webhooks: tuple[Webhook, ...] = ()
    by_environment_tag: bool = False
    by_cell_tag: bool = False
    """Count this environment's or this cell's tag only; see `components.contracts.budget_alerts`."""

    @model_validator(mode="after")
    def _reaches_somebody(self) -> BudgetSettings:
        addresses = (*self.emails, *self.webhooks)
        if not addresses:
            raise ValueError("nobody would be told: name at least one of emails and webhooks")
        if len(set(addresses)) != len(addresses):
            raise ValueError("an address is named twice")
        return self

    @model_validator(mode="after")
    def _counts_by_one_tag(self) -> BudgetSettings:
        if self.by_environment_tag and self.by_cell_tag:
            raise ValueError("byEnvironmentTag and byCellTag are both true: an environment holds its cells; choose one")
        return self

    @property
    def by_tag(self) -> Literal["cell", "environment"] | None:
        """The tag that it goes by."""
        if self.by_cell_tag:
            return "cell"
        return "environment" if self.by_environment_tag else None


class NotifierSettings(Settings):
    """That alerts go through the notifier too, and not only to the topic's own subscribers."""

    enabled: Enabled = True
    image: PinnedImage | None = None
    """What runs it in the cluster; absent, it is not run there, and alerts wait in the queue. To be set when the secret
    of the sinks has its value."""


class RunnerSettings(Settings):
    """That operations of the cell's tenants are done in its cluster."""

    image: PinnedImage
    """The program with its tools; docs/deploy.md says what it holds."""
    backend: Annotated[
        str,
        form(
            r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[\w./-]*)?(\?\S*)?",
            "backend in S3 such as s3://company-pulumi-state",
        ),
    ]
    """Where the state is: what `pulumi login` is given."""
    secrets_key: Annotated[
        str,
        form(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[\w-]+", "ARN of a key (an alias is none): arn:aws:kms:..."),
    ]
    """The ARN of the key that encrypts secrets in the state: `secretsprovider` of the stack's file. A key and no alias,
    which a role cannot be given."""
    concurrency: int = Field(default=4, ge=1, le=8)
    """Operations at a time in each replica; each takes 0.3 processors, a gibibyte and two connections to the control
    database. With 8 in each of 5 replicas a database of 1 GiB still lets others in; a node of 2 processors has room for
    5 (docs/deploy.md)."""
    replicas: int = Field(default=2, ge=1, le=5)


def _below_the_checkout(path: str) -> str:
    # The file is packed into the function, whoever wrote the configuration.
    if not path.endswith(".pem") or path.startswith("/") or ".." in path.split("/") or "\\" in path or ":" in path:
        raise ValueError(f"{path!r} is no .pem file below the checkout: give its path from there, such as rds.pem")
    return path


class BillingSettings(Settings):
    """That the platform runs the billing webhook."""

    enabled: Enabled = True
    livemode: bool
    """Whether it takes the events of Stripe's live mode or those of test mode."""
    authority: Annotated[str, AfterValidator(_below_the_checkout)] | None = None
    """File below the checkout with the certificates that vouch for the control database (AWS: RDS' bundle). The sandbox
    alone may leave it out: its function is not run."""
    concurrency: int = Field(default=10, ge=1, le=100)
    """Events at a time at most, each with a connection to the control database."""
    log_retention_days: LogRetention = 90


class PlatformSettings(Settings):
    """What `freehold:program: platform` is configured by."""

    program: Literal["platform"] = "platform"
    cloud: Literal["aws"] = "aws"
    blueprint: BlueprintName = "chronos-cloud"
    region: Region
    protect: bool = True
    inside_network: bool = True
    """Whether the program runs where the private network is reached: inside it, or through a VPN. False leaves out
    what needs the databases and the API server; no tenant is admitted before a run with true."""
    cost_centre: CostCentre
    network: NetworkSettings
    cluster: ClusterSettings
    postgres: PostgresSettings
    control: PostgresSettings | None = None
    """The control database. A cell without one takes no billing, notifier or runner, and `./freehold up` refuses it."""
    redis: RedisSettings
    bucket: BucketSettings = BucketSettings()
    budget: BudgetSettings
    notifier: NotifierSettings | None = None
    runner: RunnerSettings | None = None
    """Absent: nobody does the operations that are asked for, unless a runner runs elsewhere."""
    billing: BillingSettings | None = None
    workloads: dict[str, WorkloadSettings] = Field(default_factory=dict)
    """Images of the product's programs, which the cell's tenants run. The platform's program makes nothing of them:
    `fleet.tenant_folders` hands them to each tenant's stack."""

    @model_validator(mode="after")
    def _known_workloads(self) -> PlatformSettings:
        check_known(self.blueprint, self.workloads)
        return self

    @model_validator(mode="after")
    def _billing_has_a_database(self) -> PlatformSettings:
        if self.billing is not None and self.control is None:
            raise ValueError("billing keeps its events in the control database: set control, or leave billing out")
        return self

    @model_validator(mode="after")
    def _notifier_has_a_database(self) -> PlatformSettings:
        if self.notifier is not None and self.control is None:
            raise ValueError("notifier keeps its alerts in the control database: set control, or leave notifier out")
        return self

    @model_validator(mode="after")
    def _runner_has_a_database(self) -> PlatformSettings:
        if self.runner is not None and self.control is None:
            raise ValueError("runner finds its work in the control database: set control, or leave runner out")
        return self

    @model_validator(mode="after")
    def _zones_in_the_region(self) -> PlatformSettings:
        if strange := [zone for zone in self.network.zones or () if zone[:-1] != self.region]:
            raise ValueError(f"network.zones: {strange[0]} is no zone of {self.region}")
        return self

    @model_validator(mode="after")
    def _networks_apart(self) -> PlatformSettings:
        claimed = {"network.cidr": self.network.cidr, "cluster.serviceCidr": self.cluster.service_cidr}
        peers = {f"network.peers[{index}]": peer for index, peer in enumerate(self.network.peers)}
        if clash := overlap(claimed | peers):
            raise ValueError(clash)
        return self
