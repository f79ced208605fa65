"""Databases on RDS, and what is like them: DocumentDB, Neptune, Redshift, InfluxDB, Lightsail's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from policies.rules import UNKNOWN, Finding, Findings, Planned, Settings, flag, must_be

INSTANCE = "aws:rds/instance:Instance"
CLUSTER = "aws:rds/cluster:Cluster"
CLUSTER_INSTANCE = "aws:rds/clusterInstance:ClusterInstance"
REDSHIFT = "aws:redshift/cluster:Cluster"
SHARDS = "aws:rds/shardGroup:ShardGroup"
STORED = frozenset(
    {
        INSTANCE,
        CLUSTER,
        "aws:rds/globalCluster:GlobalCluster",
        "aws:docdb/cluster:Cluster",
        "aws:docdb/globalCluster:GlobalCluster",
        "aws:neptune/cluster:Cluster",
        "aws:neptune/globalCluster:GlobalCluster",
        REDSHIFT,
    }
)
"""What has storage to encrypt: by `storageEncrypted`, which is false where it is absent, but for Redshift's."""
_PUBLIC: Final = "publiclyAccessible"
REACHED: Final[Mapping[str, str]] = {
    INSTANCE: _PUBLIC,
    CLUSTER: _PUBLIC,
    CLUSTER_INSTANCE: _PUBLIC,
    SHARDS: _PUBLIC,
    "aws:lightsail/database:Database": _PUBLIC,
    "aws:neptune/clusterInstance:ClusterInstance": _PUBLIC,
    "aws:neptunegraph/graph:Graph": "publicConnectivity",
    REDSHIFT: _PUBLIC,
    "aws:redshiftserverless/workgroup:Workgroup": _PUBLIC,
    "aws:timestreaminfluxdb/dbCluster:DbCluster": _PUBLIC,
    "aws:timestreaminfluxdb/dbInstance:DbInstance": _PUBLIC,
}
"""What can have a public address, and the property that gives it one. DocumentDB has none."""
SOURCES = (
    "snapshotIdentifier",
    "restoreToPointInTime",
    "replicateSourceDb",
    "replicationSourceIdentifier",
    "sourceDbClusterIdentifier",
)
"""Properties that name where the data comes from."""


def rds_encrypted(resource: Planned, settings: Settings) -> Findings:
    """Storage is encrypted at rest. Absent means not (pulumi.com/registry/packages/aws/api-docs/rds/instance).

    What is restored or replicated is encrypted as its source is, whatever the flag says: RDS' API has no such
    parameter there (API_RestoreDBInstanceFromDBSnapshot, API_RestoreDBInstanceToPointInTime,
    API_CreateDBInstanceReadReplica in docs.aws.amazon.com/AmazonRDS/latest/APIReference).

    A replica from another region ignores the flag and is encrypted by its `kmsKeyId`; Aurora Serverless v1
    (`engineMode: serverless`) is encrypted by default (api-docs/rds/cluster).
    """
    properties = resource.properties
    if resource.type == REDSHIFT:
        yield from _redshift_encrypted(resource)
        return
    if all(properties.get(name) not in (None, "") for name in ("replicateSourceDb", "kmsKeyId")):
        return
    for source in SOURCES:
        if properties.get(source) not in (None, "") and flag(properties, "storageEncrypted", default=False) is True:
            yield Finding("storageEncrypted", f"what `{source}` names decides, and may be unencrypted", certain=False)
            return
    mode = properties.get("engineMode") if resource.type == CLUSTER else None
    if mode is UNKNOWN and properties.get("storageEncrypted") is None:
        yield Finding("storageEncrypted", "its default depends on `engineMode`", certain=False)
        return
    yield from must_be(
        properties,
        "storageEncrypted",
        True,
        default=mode == "serverless",
        why="the data would lie on disk in clear",
    )


def _redshift_encrypted(resource: Planned) -> Findings:
    """A text, not a boolean; absent, it is the service's default, which changed in 2025:
    docs.aws.amazon.com/redshift/latest/mgmt/working-with-db-encryption.html"""
    if resource.properties.get("encrypted") is None:
        yield Finding("encrypted", "is absent, and its default depends on the release", certain=False)
    else:
        yield from must_be(resource.properties, "encrypted", True, default=False, why="the data would lie in clear")


def rds_private(resource: Planned, settings: Settings) -> Findings:
    """No public address. Absent means private, but for a Multi-AZ cluster outside a subnet group of one's own, and for
    a shard group, where it depends on the network of its cluster (API_CreateDBShardGroup)."""
    properties, name = resource.properties, REACHED[resource.type]
    if resource.type == SHARDS and properties.get(name) is None:
        yield Finding(name, "is absent, and its default depends on the cluster's network", certain=False)
        return
    group = properties.get("dbSubnetGroupName")
    multi_zone_cluster = resource.type == CLUSTER and properties.get("dbClusterInstanceClass") is not None
    if multi_zone_cluster and properties.get(name) is None and group is UNKNOWN:
        yield Finding(name, "its default depends on `dbSubnetGroupName`", certain=False)
        return
    yield from must_be(
        properties,
        name,
        False,
        default=multi_zone_cluster and group in (None, "default"),
        why="the database would have a public address",
    )
