"""Relational databases on RDS."""

from __future__ import annotations

from policies.rules import UNKNOWN, Finding, Findings, Planned, Settings, must_be

INSTANCE = "aws:rds/instance:Instance"
CLUSTER = "aws:rds/cluster:Cluster"
CLUSTER_INSTANCE = "aws:rds/clusterInstance:ClusterInstance"


def rds_encrypted(resource: Planned, settings: Settings) -> Findings:
    """Storage is encrypted at rest. Absent means not (pulumi.com/registry/packages/aws/api-docs/rds/instance).

    A replica from another region ignores the flag and is encrypted by its `kmsKeyId`; Aurora Serverless v1
    (`engineMode: serverless`) is encrypted by default (api-docs/rds/cluster).
    """
    properties = resource.properties
    if properties.get("replicateSourceDb") is not None and properties.get("kmsKeyId") is not None:
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


def rds_private(resource: Planned, settings: Settings) -> Findings:
    """No public address. Absent means private, but for a Multi-AZ cluster outside a subnet group of one's own."""
    properties = resource.properties
    group = properties.get("dbSubnetGroupName")
    multi_zone_cluster = resource.type == CLUSTER and properties.get("dbClusterInstanceClass") is not None
    if multi_zone_cluster and properties.get("publiclyAccessible") is None and group is UNKNOWN:
        yield Finding("publiclyAccessible", "its default depends on `dbSubnetGroupName`", certain=False)
        return
    yield from must_be(
        properties,
        "publiclyAccessible",
        False,
        default=multi_zone_cluster and group in (None, "default"),
        why="the database would have a public address",
    )
