"""What really is there now, asked of the services themselves: Kubernetes, AWS, Redis."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from fleet.cloud import client, is_sandbox
from stacks.contract import PlatformContract

Json = Any

TENANT_LABEL = "freehold.dev/tenant"
_KUBECTL_SECONDS = 60
_NAMED = 5
"""Nodes that are not ready, of those that are named."""
# A backup is made every night, and what serves meanwhile rings nobody out of bed.
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html#Overview.DBInstance.Status
_DATABASE_SERVES = {
    "available",
    "backing-up",
    "configuring-enhanced-monitoring",
    "configuring-iam-database-auth",
    "configuring-log-exports",
    "storage-initialization",
    "storage-optimization",
}
# An upgrade of the control plane, or another change of its settings, during which it answers.
# https://docs.aws.amazon.com/eks/latest/APIReference/API_Cluster.html
_CLUSTER_SERVES = {"ACTIVE", "UPDATING"}
# https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_ReplicationGroup.html
# Each tenant that comes or goes changes the group of users, and with it the replication group.
_CACHE_SERVES = {"available", "modifying", "snapshotting"}


@dataclass(frozen=True)
class Line:
    """One fact, and the ordinary command that shows the same."""

    what: str
    value: str
    command: str
    ok: bool = True


@dataclass(frozen=True)
class Namespace:
    """A tenant's namespace with what its quota allows and what is used of it."""

    name: str
    hard: Mapping[str, str]
    used: Mapping[str, str]


@dataclass(frozen=True)
class Live:
    """`lines` are of the platform; `namespaces` by tenant."""

    lines: Sequence[Line] = ()
    namespaces: Mapping[str, Sequence[Namespace]] = field(default_factory=dict)


def look(contract: PlatformContract, environment: Mapping[str, str], *, inside: bool = True) -> Live:
    """Ask every service at once. What cannot be reached is a line that says so. The cluster is only asked from inside
    its network."""
    region = contract.region
    known = "./freehold sandbox status" if is_sandbox(environment) else "aws sts get-caller-identity"

    def aws(service: str) -> Any:
        return client(service, region, environment)

    questions: list[Callable[[], Sequence[Line]]] = [
        lambda: [_cluster(contract, aws)],
        lambda: [_database(contract.database.tenants.identifier, aws)],
        lambda: [_database(control.identifier, aws)] if (control := contract.database.control) else [],
        lambda: [_cache(contract, aws)],
        lambda: [_bucket(contract, aws)],
        lambda: [_budget(contract, aws)],
        lambda: [_subscribers(contract, aws)],
        lambda: _redis(environment),
    ]
    # The SDK is imported before threads race for it.
    aws("sts")
    with ThreadPoolExecutor(len(questions) + 1) as pool:
        nodes = pool.submit(_inside, contract, environment) if inside else None
        answers = [pool.submit(_asked, question, known) for question in questions]
        lines = [line for answer in answers for line in answer.result()]
    if nodes is None:
        return Live(lines)
    line, namespaces = nodes.result()
    return Live([lines[0], line, *lines[1:]], namespaces)


def tenant_namespaces(contract: PlatformContract, environment: Mapping[str, str]) -> Mapping[str, Sequence[Namespace]]:
    """The tenants' namespaces with their quotas, by tenant; empty where the cluster does not answer."""
    return _inside(contract, environment)[1]


def _asked(question: Callable[[], Sequence[Line]], known: str) -> Sequence[Line]:
    """The answer, or a line that says why there is none; `known` shows whether anything answers."""
    from botocore.exceptions import BotoCoreError, ClientError
    from redis.exceptions import RedisError

    try:
        return question()
    except (BotoCoreError, ClientError, RedisError) as error:
        return [Line("unreachable", str(error).splitlines()[0], known, ok=False)]


def _cluster(contract: PlatformContract, aws: Callable[[str], Any]) -> Line:
    name = contract.cluster.name
    found = aws("eks").describe_cluster(name=name)["cluster"]
    return Line(
        "cluster",
        f"{name}, Kubernetes {found['version']}, {found['status']}",
        f"aws eks describe-cluster --name {name}",
        ok=found["status"] in _CLUSTER_SERVES,
    )


def _database(identifier: str, aws: Callable[[str], Any]) -> Line:
    found = aws("rds").describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]
    encrypted = "encrypted" if found["StorageEncrypted"] else "not encrypted"
    private = "public" if found["PubliclyAccessible"] else "private"
    return Line(
        "database",
        f"{identifier}, {found['Engine']} {found['EngineVersion']}, {encrypted}, {private}, "
        f"{found['DBInstanceStatus']}",
        f"aws rds describe-db-instances --db-instance-identifier {identifier}",
        ok=found["DBInstanceStatus"] in _DATABASE_SERVES
        and found["StorageEncrypted"]
        and not found["PubliclyAccessible"],
    )


def _cache(contract: PlatformContract, aws: Callable[[str], Any]) -> Line:
    name = contract.cache.replication_group
    found = aws("elasticache").describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"][0]
    tls = "TLS" if found.get("TransitEncryptionEnabled") else "no TLS"
    return Line(
        "cache",
        f"{name}, {tls}, {found['Status']}",
        f"aws elasticache describe-replication-groups --replication-group-id {name}",
        ok=found["Status"] in _CACHE_SERVES and bool(found.get("TransitEncryptionEnabled")),
    )


def _bucket(contract: PlatformContract, aws: Callable[[str], Any]) -> Line:
    name, store = contract.bucket.name, aws("s3")
    versioned = store.get_bucket_versioning(Bucket=name).get("Status", "off")
    blocked = store.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
    access = "private" if all(blocked.values()) else "not closed to the public"
    return Line(
        "bucket",
        f"{name}, {access}, versioning {versioned}",
        f"aws s3api get-public-access-block --bucket {name}",
        ok=all(blocked.values()) and versioned == "Enabled",
    )


def _budget(contract: PlatformContract, aws: Callable[[str], Any]) -> Line:
    budgets, of = aws("budgets"), {"AccountId": contract.account, "BudgetName": contract.budget.name}
    limit = budgets.describe_budget(**of)["Budget"]["BudgetLimit"]
    alerts = budgets.describe_notifications_for_budget(**of)["Notifications"]
    at = ", ".join(f"{alert['Threshold']:g}% {alert['NotificationType'].lower()}" for alert in alerts)
    return Line(
        "budget",
        f"{contract.budget.name}, {limit['Amount']} {limit['Unit']} a month, alerts at {at or 'nothing'}",
        f"aws budgets describe-budget --account-id {contract.account} --budget-name {contract.budget.name}",
        ok=bool(alerts),
    )


def _subscribers(contract: PlatformContract, aws: Callable[[str], Any]) -> Line:
    """Who hears of alerts and alarms. AWS tells nobody anything before they confirm.

    https://docs.aws.amazon.com/sns/latest/api/API_ListSubscriptionsByTopic.html
    """
    topic = contract.alerts.topic_arn
    pages = aws("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    found = [one for page in pages for one in page["Subscriptions"]]
    counts = Counter(one["Protocol"] for one in found)
    told = ", ".join(f"{count} by {protocol}" for protocol, count in sorted(counts.items())) or "nobody"
    # Of an address on the web the host alone: what follows may be a secret.
    silent = [
        urlsplit(one["Endpoint"]).hostname or one["Endpoint"]
        for one in found
        if one["SubscriptionArn"] == "PendingConfirmation"
    ]
    return Line(
        "alerts go to",
        told + (f"; not confirmed yet, so not told: {', '.join(sorted(silent))}" if silent else ""),
        f"aws sns list-subscriptions-by-topic --topic-arn {topic}",
        ok=bool(found) and not silent,
    )


def _redis(environment: Mapping[str, str]) -> Sequence[Line]:
    """Only the sandbox has a way in that sees the users; nobody has one in ElastiCache."""
    if (url := environment.get("REDIS_URL")) is None:
        return []
    import redis

    from fleet.cache_retries import UnlessRefused

    with redis.Redis.from_url(url, decode_responses=True, socket_timeout=10, retry=UnlessRefused()) as connection:
        users = [str(user) for user in connection.acl_users()]
    shown = ", ".join(sorted(user for user in users if user.startswith("t-"))) or "none"
    return [
        Line(
            "cache users",
            f"{len(users)}; tenants: {shown}",
            'redis-cli --cacert "$PGSSLROOTCERT" -u "$REDIS_URL" acl users',
        )
    ]


def _inside(contract: PlatformContract, environment: Mapping[str, str]) -> tuple[Line, dict[str, list[Namespace]]]:
    """The cluster's nodes, and the tenants' namespaces with their quotas, by the login that everybody uses."""
    shown = f"kubectl --context {contract.cluster.name} get nodes"
    # By the contract's kubeconfig, whatever contexts this user has. It holds no credential.
    with tempfile.NamedTemporaryFile("w", prefix="freehold-kubeconfig-") as kubeconfig:
        kubeconfig.write(contract.cluster.kubeconfig)
        kubeconfig.flush()
        command = ["kubectl", "--kubeconfig", kubeconfig.name, "get", "nodes,namespaces,resourcequotas", "-A"]
        try:
            run = subprocess.run(
                [*command, "-o", "json"],
                env=dict(environment),
                capture_output=True,
                text=True,
                timeout=_KUBECTL_SECONDS,
                stdin=subprocess.DEVNULL,
            )
        except FileNotFoundError:
            return Line("nodes", "not asked: kubectl is not on PATH", shown, ok=False), {}
        except OSError as error:
            return Line("nodes", f"not asked: kubectl does not run: {error.strerror}", shown, ok=False), {}
        except subprocess.TimeoutExpired:
            return Line("nodes", f"the cluster did not answer within {_KUBECTL_SECONDS} s", shown, ok=False), {}
    if run.returncode != 0:
        reason = (run.stderr.strip().splitlines() or ["no answer"])[-1]
        return Line("nodes", reason, shown, ok=False), {}
    items = json.loads(run.stdout)["items"]
    line = _nodes([item for item in items if item["kind"] == "Node"], shown)
    return line, _namespaces(items)


def _nodes(nodes: Sequence[Json], shown: str) -> Line:
    """One of three or more that is not ready is named, and no alarm: nodes come and go, and what ran there runs
    elsewhere. Of large clusters it may be a tenth."""
    away = sorted(node["metadata"]["name"] for node in nodes if not _ready(node))
    versions = sorted({node["status"]["nodeInfo"]["kubeletVersion"] for node in nodes})
    told = f"{len(nodes) - len(away)} of {len(nodes)} ready" + (f" ({', '.join(versions)})" if versions else "")
    if away:
        more = f" and {len(away) - _NAMED} more" if len(away) > _NAMED else ""
        told += f"; not ready: {', '.join(away[:_NAMED])}{more}"
    return Line("nodes", told, shown, ok=len(nodes) > 2 * len(away) and len(away) <= max(1, len(nodes) // 10))


def _ready(node: Json) -> bool:
    return any(one["type"] == "Ready" and one["status"] == "True" for one in node["status"].get("conditions", ()))


def _namespaces(items: Sequence[Json]) -> dict[str, list[Namespace]]:
    quotas: dict[str, list[Json]] = {}
    for item in items:
        if item["kind"] == "ResourceQuota":
            quotas.setdefault(item["metadata"]["namespace"], []).append(item.get("status") or {})
    found: dict[str, list[Namespace]] = {}
    for item in items:
        tenant = item["metadata"].get("labels", {}).get(TENANT_LABEL)
        if item["kind"] == "Namespace" and tenant:
            name = item["metadata"]["name"]
            hard = {key: value for one in quotas.get(name, ()) for key, value in (one.get("hard") or {}).items()}
            used = {key: value for one in quotas.get(name, ()) for key, value in (one.get("used") or {}).items()}
            found.setdefault(tenant, []).append(Namespace(name, hard, used))
    return found
