"""ElastiCache: replication groups (real Redis servers of the sandbox), their subnet and parameter groups."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sandbox.providers.aws import cache_users
from sandbox.providers.aws.context import Context
from sandbox.providers.aws.endpoint import started, tell
from sandbox.providers.aws.table import AwsType, Call, Modify, Read, Tags, page, same
from sandbox.providers.interface import CheckFailure, Properties, ProviderError, Unknown
from sandbox.providers.typed import Autoname, Kind, given, matches

TAGS = Tags(
    "add_tags_to_resource",
    "remove_tags_from_resource",
    {"ResourceName": "{arn}"},
    in_create="Tags",
    read="TagList",
    read_operation="list_tags_for_resource",
)

SUBNET_GROUP = AwsType(
    token="aws:elasticache/subnetGroup:SubnetGroup",
    kind=Kind.LIVE,
    documentation=page("elasticache/subnetgroup"),
    service="elasticache",
    autoname=Autoname("name", 255, lower=True),
    defaults={"description": "Managed by Pulumi"},
    create=Call(
        "create_cache_subnet_group",
        {"name": "CacheSubnetGroupName", "description": "CacheSubnetGroupDescription", **same("subnetIds")},
    ),
    id_form="{name}",
    replace_on=frozenset({"name"}),
    sets=frozenset({"subnetIds"}),
    reads=(
        Read(
            "describe_cache_subnet_groups",
            {"CacheSubnetGroupName": "{id}"},
            "CacheSubnetGroups[0]",
            {
                "name": "CacheSubnetGroupName",
                "description": "CacheSubnetGroupDescription",
                "subnetIds": "Subnets[].SubnetIdentifier",
                "arn": "ARN",
                "vpcId": "VpcId",
            },
        ),
    ),
    modifies=(
        Modify(
            "modify_cache_subnet_group",
            {"description": "CacheSubnetGroupDescription", **same("subnetIds")},
            {"CacheSubnetGroupName": "{id}"},
            whole=True,
        ),
    ),
    delete=Call("delete_cache_subnet_group", fixed={"CacheSubnetGroupName": "{id}"}),
    missing=("CacheSubnetGroupNotFoundFault", "CacheSubnetGroupNotFound"),
    tags=TAGS,
    computed_outputs={"arn": "arn:{partition}:elasticache:{region}:{account}:subnetgroup:{id}"},
)

_REPLICATION_GROUP = "aws:elasticache/replicationGroup:ReplicationGroup"


def _servers_follow(context: Context, changed: frozenset[str]) -> None:
    """Gives the changed parameters to the servers of the replication groups that name the group."""
    for record in context.recorded.list(_REPLICATION_GROUP):
        if record.inputs["parameterGroupName"] == context.id and context.supervisor.cache(record.id):
            context.supervisor.update_cache(record.id, parameters=server_settings(context, context.id))


# moto has no cache parameter groups: kept in the sandbox's store, and applied to the real servers from there.
PARAMETER_GROUP = AwsType(
    token="aws:elasticache/parameterGroup:ParameterGroup",
    kind=Kind.RECORDED,
    note=(
        "Its parameters are set on the real servers of the replication groups that name it; the ElastiCache "
        "API does not know it"
    ),
    documentation=page("elasticache/parametergroup"),
    autoname=Autoname("name", 255, lower=True),
    defaults={"description": "Managed by Pulumi"},
    id_form="{name}",
    replace_on=frozenset({"name", "family", "description"}),
    sets=frozenset({"parameters"}),
    after_update=_servers_follow,
    computed_outputs={"arn": "arn:{partition}:elasticache:{region}:{account}:parametergroup:{name}"},
)


def server_settings(context: Context, group: str | None) -> dict[str, str]:
    """The settings of a recorded parameter group by name; none for a default group."""
    if not group or group.startswith("default."):
        return {}
    record = context.recorded.get(PARAMETER_GROUP.token, group)
    if record is None:
        raise ProviderError(f"parameterGroupName: there is no cache parameter group {group}")
    return {item["name"]: str(item["value"]) for item in record.inputs.get("parameters") or []}


def _together(inputs: Properties) -> Iterable[CheckFailure]:
    """What ElastiCache refuses in combination.

    Source: https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateReplicationGroup.html
    """
    engine = inputs.get("engine")
    if isinstance(engine, str) and engine not in ("redis", "valkey"):
        yield CheckFailure("engine", f"expected redis or valkey; got {engine!r}")
    if given(inputs, "authToken") and given(inputs, "userGroupIds"):
        yield CheckFailure(
            "authToken", "`authToken` conflicts with `userGroupIds`: AUTH and user groups exclude each other"
        )
    encrypted = inputs.get("transitEncryptionEnabled")
    plain = encrypted is not True and not isinstance(encrypted, Unknown)
    for name in ("authToken", "userGroupIds"):
        if given(inputs, name) and plain:
            yield CheckFailure(name, f"`{name}` requires transitEncryptionEnabled")
    if plain:
        yield CheckFailure(
            "transitEncryptionEnabled",
            "the sandbox's Redis servers speak TLS only: transitEncryptionEnabled must be true",
        )
    if inputs.get("multiAzEnabled") is True and not inputs.get("automaticFailoverEnabled"):
        yield CheckFailure("multiAzEnabled", "`multiAzEnabled` requires automaticFailoverEnabled")
    clusters = inputs.get("numCacheClusters")
    if inputs.get("automaticFailoverEnabled") is True and isinstance(clusters, int) and clusters < 2:
        yield CheckFailure("numCacheClusters", "automaticFailoverEnabled requires at least 2 cache clusters")
    token = inputs.get("authToken")
    if isinstance(token, str) and not 16 <= len(token) <= 128:
        yield CheckFailure("authToken", "has to have 16 to 128 characters")


def _settings(context: Context) -> dict[str, str]:
    """What its server is to be given; which group it names is kept, because moto does not tell."""
    group = context.inputs.get("parameterGroupName")
    context.recorded.put(_REPLICATION_GROUP, context.id, context.resource.urn, {"parameterGroupName": group}, {})
    return server_settings(context, group)


def _start(context: Context) -> None:
    inputs, name = context.inputs, context.id
    settings, supervisor = _settings(context), context.supervisor
    server = started(
        lambda: supervisor.create_cache(name, parameters=settings),
        lambda: supervisor.update_cache(name, parameters=settings),
    )
    tell(context, "elasticache", name, address=server.host, port=server.port)
    cache_users.set_users(context, name, inputs)


def _changed(context: Context, changed: frozenset[str]) -> None:
    if "userGroupIds" in changed:
        before = set(context.outputs.get("userGroupIds") or [])
        wanted = set(context.inputs.get("userGroupIds") or [])
        difference = {"UserGroupIdsToAdd": sorted(wanted - before), "UserGroupIdsToRemove": sorted(before - wanted)}
        context.call(
            "modify_replication_group",
            ReplicationGroupId=context.id,
            ApplyImmediately=True,
            **{name: ids for name, ids in difference.items() if ids},
        )
    if "numCacheClusters" in changed and context.inputs.get("numCacheClusters"):
        there, asked = len(context.outputs.get("memberClusters") or []), int(context.inputs["numCacheClusters"])
        if asked != there:
            operation = "increase_replica_count" if asked > there else "decrease_replica_count"
            context.call(operation, ReplicationGroupId=context.id, NewReplicaCount=asked - 1, ApplyImmediately=True)
    server = context.supervisor.cache(context.id)
    if server is None:  # its creation was cut short
        _start(context)
        return
    tell(context, "elasticache", context.id, address=server.host, port=server.port)  # or was, before this
    # Changed or not: an update before this may have ended between the endpoint and the server.
    context.supervisor.update_cache(context.id, parameters=_settings(context))
    cache_users.set_users(context, context.id, context.inputs)


def _delete(context: Context) -> None:
    name = context.inputs.get("replicationGroupId") or context.id
    snapshot = context.inputs.get("finalSnapshotIdentifier")
    # Where it is refused, the server keeps its data.
    context.delete(
        "delete_replication_group",
        ReplicationGroupId=name,
        **({"FinalSnapshotIdentifier": snapshot} if snapshot else {}),
    )
    context.supervisor.delete_cache(name)
    context.recorded.delete(_REPLICATION_GROUP, name)


def _observe(context: Context, found: dict[str, Any]) -> None:
    record = context.answer
    for wire, api in (("automaticFailoverEnabled", "AutomaticFailover"), ("multiAzEnabled", "MultiAZ")):
        if record.get(api) is not None:
            found[wire] = record[api] in ("enabled", "enabling")
    members = record.get("MemberClusters") or []
    found["memberClusters"] = list(members)
    if members:
        found["numCacheClusters"] = len(members)
    if found.get("engineVersion"):
        found["engineVersionActual"] = found["engineVersion"]


_FIELDS = {
    "description": "ReplicationGroupDescription",
    "atRestEncryptionEnabled": "AtRestEncryptionEnabled",
    "autoMinorVersionUpgrade": "AutoMinorVersionUpgrade",
    "automaticFailoverEnabled": "AutomaticFailoverEnabled",
    "authToken": "AuthToken",
    "engine": "Engine",
    "engineVersion": "EngineVersion",
    "ipDiscovery": "IpDiscovery",
    "kmsKeyId": "KmsKeyId",
    "maintenanceWindow": "PreferredMaintenanceWindow",
    "multiAzEnabled": "MultiAZEnabled",
    "networkType": "NetworkType",
    "nodeType": "CacheNodeType",
    "notificationTopicArn": "NotificationTopicArn",
    "numCacheClusters": "NumCacheClusters",
    "parameterGroupName": "CacheParameterGroupName",
    "port": "Port",
    "preferredCacheClusterAzs": "PreferredCacheClusterAZs",
    "replicationGroupId": "ReplicationGroupId",
    "securityGroupIds": "SecurityGroupIds",
    "snapshotRetentionLimit": "SnapshotRetentionLimit",
    "snapshotWindow": "SnapshotWindow",
    "subnetGroupName": "CacheSubnetGroupName",
    "transitEncryptionEnabled": "TransitEncryptionEnabled",
    "transitEncryptionMode": "TransitEncryptionMode",
    "userGroupIds": "UserGroupIds",
}
_MODIFIED = (
    "description", "autoMinorVersionUpgrade", "automaticFailoverEnabled", "engineVersion", "ipDiscovery",
    "maintenanceWindow", "multiAzEnabled", "nodeType", "notificationTopicArn", "parameterGroupName", "securityGroupIds",
    "snapshotRetentionLimit", "snapshotWindow", "authToken", "transitEncryptionMode",
)  # fmt: skip

REPLICATION_GROUP = AwsType(
    token=_REPLICATION_GROUP,
    kind=Kind.LIVE,
    documentation=page("elasticache/replicationgroup"),
    note=(
        "One real Redis server, TLS only, at a port of the sandbox's choosing, whatever the number of nodes; "
        "an import knows neither engineVersion nor subnetGroupName"
    ),
    service="elasticache",
    autoname=Autoname("replicationGroupId", 40, lower=True),
    defaults={"engine": "redis", "applyImmediately": False, "automaticFailoverEnabled": False, "multiAzEnabled": False},
    create=Call("create_replication_group", _FIELDS),
    id_answer="ReplicationGroup.ReplicationGroupId",
    id_form="{replicationGroupId}",
    replace_on=frozenset(
        {"atRestEncryptionEnabled", "engine", "kmsKeyId", "networkType", "port",
         "preferredCacheClusterAzs", "replicationGroupId", "subnetGroupName", "transitEncryptionEnabled"}
    ),
    computed=frozenset(
        {"atRestEncryptionEnabled", "autoMinorVersionUpgrade", "engineVersion", "ipDiscovery",
         "kmsKeyId",
         "maintenanceWindow", "networkType", "nodeType", "numCacheClusters", "parameterGroupName",
         "port", "securityGroupIds", "snapshotWindow", "subnetGroupName",
         "transitEncryptionMode"}
    ),
    sets=frozenset({"securityGroupIds", "userGroupIds"}),
    secret_outputs=frozenset({"authToken"}),
    rules=(
        _together,
        matches(
            "replicationGroupId", r"(?!.*--)(?!.*-$)[a-zA-Z][a-zA-Z0-9-]{0,39}",
            "1 to 40 letters, digits and hyphens, a letter first, no two hyphens together and none at the end",
        ),
    ),
    settings=frozenset({"applyImmediately", "finalSnapshotIdentifier", "authTokenUpdateStrategy"}),
    placed=frozenset({"port"}),
    reads=(
        Read(
            "describe_replication_groups",
            {"ReplicationGroupId": "{id}"},
            "ReplicationGroups[?Status!='deleting'] | [0]",
            {
                "replicationGroupId": "ReplicationGroupId",
                "description": "Description",
                "arn": "ARN",
                "engine": "Engine",
                "nodeType": "CacheNodeType",
                "atRestEncryptionEnabled": "AtRestEncryptionEnabled",
                "transitEncryptionEnabled": "TransitEncryptionEnabled",
                "transitEncryptionMode": "TransitEncryptionMode",
                "clusterEnabled": "ClusterEnabled",
                            "kmsKeyId": "KmsKeyId",
                "snapshotRetentionLimit": "SnapshotRetentionLimit",
                "snapshotWindow": "SnapshotWindow",
                "userGroupIds": "UserGroupIds",
                "autoMinorVersionUpgrade": "AutoMinorVersionUpgrade",
                "networkType": "NetworkType",
                "ipDiscovery": "IpDiscovery",
                "configurationEndpointAddress": "ConfigurationEndpoint.Address",
                "primaryEndpointAddress": "NodeGroups[0].PrimaryEndpoint.Address",
                "readerEndpointAddress": "NodeGroups[0].ReaderEndpoint.Address",
                "port": "ConfigurationEndpoint.Port || NodeGroups[0].PrimaryEndpoint.Port",
            },
        ),
    ),
    observe=_observe,
    modifies=(
        Modify(
            "modify_replication_group",
            {name: _FIELDS[name] for name in _MODIFIED},
            {"ReplicationGroupId": "{id}", "ApplyImmediately": "{applyImmediately}"},
            clear={"snapshotRetentionLimit": 0},
        ),
    ),
    after_create=_start,
    after_update=_changed,
    delete_hook=_delete,
    missing=("ReplicationGroupNotFoundFault", "ReplicationGroupNotFound"),
    tags=TAGS,
    hooked=frozenset({"numCacheClusters", "userGroupIds"}),
    operations=("delete_replication_group", "increase_replica_count", "decrease_replica_count"),
)  # fmt: skip

TYPES = (SUBNET_GROUP, PARAMETER_GROUP, REPLICATION_GROUP)
