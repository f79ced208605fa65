"""What travels over the supervisor's Unix socket: one JSON line asks, one JSON line answers.

Records (`Cluster`, `Database`, `Cache`, `Status`, ...) are what callers receive; requests are what the client sends.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from errors import FreeholdError
from sandbox.providers.choice import Providers

# The strictest of the services' own rules, because a name becomes a file name and a process name:
# EKS [0-9A-Za-z][A-Za-z0-9-_]{0,99}, RDS 63 characters, ElastiCache 40.
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")]
# A Postgres identifier that needs no quoting anywhere (63 bytes, NAMEDATALEN - 1).
PostgresName = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]
Reason = Literal["exists", "missing", "invalid", "failed"]


class SupervisorError(FreeholdError):
    """The supervisor refused or failed; `reason` says which (the name exists, is missing, bad request, failure)."""

    def __init__(self, what: str, *, where: str = "", mend: str = "", reason: Reason = "failed") -> None:
        super().__init__(what, where=where, mend=mend)
        self.reason = reason


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Cluster(Record):
    """A running control plane of its own."""

    name: str
    kubernetes_version: str
    """As asked for, `1.35`; the server's own version is `server_version`."""
    server_version: str
    endpoint: str
    """`https://127.0.0.1:PORT`."""
    certificate_authority_pem: str
    oidc_issuer: str
    """The `iss` of service account tokens."""
    service_account_public_key_pem: str
    admin_kubeconfig: Path
    """A kubeconfig with a client certificate of group system:masters, for the sandbox's own use (mode 0600)."""


class NodeGroup(Record):
    """Simulated nodes that belong together; `size` of them exist while the cluster does."""

    name: Identifier
    size: int = Field(ge=0, le=500)
    labels: Mapping[str, str] = {}
    taints: tuple[Mapping[str, str], ...] = ()
    """`{"key": ..., "value": ..., "effect": NoSchedule|PreferNoSchedule|NoExecute}`."""
    instance_type: str = "m6i.large"
    zones: tuple[str, ...] = ("us-east-1a", "us-east-1b", "us-east-1c")


class Database(Record):
    """A running Postgres server of its own; `username` administers it and is no superuser."""

    identifier: str
    host: str
    port: int
    username: str
    database: str
    certificate_authority_path: Path
    parameters: Mapping[str, str]


class Cache(Record):
    """A running Redis server of its own: TLS only."""

    identifier: str
    host: str
    port: int
    certificate_authority_path: Path
    parameters: Mapping[str, str]
    users: tuple[str, ...]
    """Names of the users that `set_cache_users` set last."""


class CacheUser(Record):
    """One user of a cache, as an ElastiCache user: `access_string` is Redis' ACL language, without passwords."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,119}$")]
    passwords: tuple[str, ...] = ()
    access_string: str = "off -@all"
    enabled: bool = True
    no_password_required: bool = False


ProcessState = Literal["waiting", "starting", "ready", "unhealthy", "restarting", "failed", "stopping", "stopped"]


class ProcessStatus(Record):
    """One managed process."""

    name: str
    kind: str
    """etcd, kube-apiserver, ..., moto, postgres, redis, provider-host."""
    instance: str | None
    """The cluster, database or cache that it serves; None for the sandbox's own."""
    state: ProcessState
    pid: int | None
    port: int | None
    restarts: int
    started_seconds: float | None
    """From being started to being ready, in seconds."""
    memory_bytes: int | None
    """Resident set of the process and its children."""
    log: Path
    message: str = ""
    """Why it is not ready, one line."""


class Status(Record):
    home: Path
    supervisor_pid: int
    state: Literal["starting", "ready", "degraded", "stopping"]
    aws_endpoint: str | None
    providers: Providers = Providers.STAND_INS
    processes: tuple[ProcessStatus, ...]
    clusters: tuple[str, ...]
    databases: tuple[str, ...]
    caches: tuple[str, ...]
    failure: str = ""
    """Why something that it kept could not be started at all, one line."""


class GetStatus(Record):
    operation: Literal["status"] = "status"


class CreateCluster(Record):
    operation: Literal["create-cluster"] = "create-cluster"
    name: Identifier
    kubernetes_version: str
    oidc_issuer: str | None = None
    region: str = "us-east-1"
    node_groups: tuple[NodeGroup, ...] = ()


class GetCluster(Record):
    operation: Literal["cluster"] = "cluster"
    name: Identifier


class DeleteCluster(Record):
    operation: Literal["delete-cluster"] = "delete-cluster"
    name: Identifier


class SetNodeGroup(Record):
    operation: Literal["set-node-group"] = "set-node-group"
    cluster: Identifier
    node_group: NodeGroup


class DeleteNodeGroup(Record):
    operation: Literal["delete-node-group"] = "delete-node-group"
    cluster: Identifier
    name: Identifier


class CreateDatabase(Record):
    operation: Literal["create-database"] = "create-database"
    identifier: Identifier
    username: PostgresName
    password: Annotated[str, Field(min_length=8, max_length=128)]
    database: PostgresName
    parameters: Mapping[str, str] = {}


class GetDatabase(Record):
    operation: Literal["database"] = "database"
    identifier: Identifier


class UpdateDatabase(Record):
    operation: Literal["update-database"] = "update-database"
    identifier: Identifier
    password: Annotated[str, Field(min_length=8, max_length=128)] | None = None
    parameters: Mapping[str, str] | None = None


class DeleteDatabase(Record):
    operation: Literal["delete-database"] = "delete-database"
    identifier: Identifier


class CreateCache(Record):
    operation: Literal["create-cache"] = "create-cache"
    identifier: Identifier
    parameters: Mapping[str, str] = {}


class GetCache(Record):
    operation: Literal["cache"] = "cache"
    identifier: Identifier


class UpdateCache(Record):
    operation: Literal["update-cache"] = "update-cache"
    identifier: Identifier
    parameters: Mapping[str, str]


class SetCacheUsers(Record):
    operation: Literal["set-cache-users"] = "set-cache-users"
    identifier: Identifier
    users: tuple[CacheUser, ...]


class DeleteCache(Record):
    operation: Literal["delete-cache"] = "delete-cache"
    identifier: Identifier


class StartNotifier(Record):
    operation: Literal["start-notifier"] = "start-notifier"
    environment: Mapping[str, str]


class StopNotifier(Record):
    operation: Literal["stop-notifier"] = "stop-notifier"


class StartRunner(Record):
    operation: Literal["start-runner"] = "start-runner"
    cell: Identifier
    version: str


class StopRunner(Record):
    operation: Literal["stop-runner"] = "stop-runner"
    cell: Identifier


class StartWebhook(Record):
    operation: Literal["start-webhook"] = "start-webhook"
    database: Identifier
    product: str
    username: str
    password: str


class StopWebhook(Record):
    operation: Literal["stop-webhook"] = "stop-webhook"


class Webhook(Record):
    """The billing webhook that runs: where events are sent, and what signs them."""

    url: str
    secret: str


class Stop(Record):
    operation: Literal["stop"] = "stop"


AnyRequest = (
    GetStatus
    | CreateCluster
    | GetCluster
    | DeleteCluster
    | SetNodeGroup
    | DeleteNodeGroup
    | CreateDatabase
    | GetDatabase
    | UpdateDatabase
    | DeleteDatabase
    | CreateCache
    | GetCache
    | UpdateCache
    | SetCacheUsers
    | DeleteCache
    | StartNotifier
    | StopNotifier
    | StartRunner
    | StopRunner
    | StartWebhook
    | StopWebhook
    | Stop
)
Request = Annotated[AnyRequest, Field(discriminator="operation")]
REQUEST: TypeAdapter[Request] = TypeAdapter(Request)


class Failure(Record):
    what: str
    where: str = ""
    mend: str = ""
    reason: Reason = "failed"


class Answer(Record):
    """Exactly one of the two: `result` (None where there is nothing to say) or `failure`."""

    result: Any = None
    failure: Failure | None = None


def first_error(error: ValidationError) -> str:
    """The first thing wrong, on one line, without the offending value: it may be a password."""
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(str(step) for step in first['loc'])}: {first['msg']}"
