from __future__ import annotations

from typing import Any

import pytest

from policies.rules import UNKNOWN
from tests.policies.plans import certain, findings, planned, undecided

INSTANCE = "aws:rds/instance:Instance"
CLUSTER = "aws:rds/cluster:Cluster"
CLUSTER_INSTANCE = "aws:rds/clusterInstance:ClusterInstance"


OTHERS = ["aws:docdb/cluster:Cluster", "aws:neptune/cluster:Cluster", "aws:rds/globalCluster:GlobalCluster"]
REDSHIFT = "aws:redshift/cluster:Cluster"


@pytest.mark.parametrize("type", [INSTANCE, CLUSTER, *OTHERS])
class TestEncrypted:
    def test_compliant(self, type: str) -> None:
        assert findings("rds-encrypted", planned(type, storageEncrypted=True)) == []

    def test_violating(self, type: str) -> None:
        assert certain(findings("rds-encrypted", planned(type, storageEncrypted=False)))

    def test_absent_means_unencrypted(self, type: str) -> None:
        assert certain(findings("rds-encrypted", planned(type)))

    def test_unknown(self, type: str) -> None:
        assert undecided(findings("rds-encrypted", planned(type, storageEncrypted=UNKNOWN)))


def test_a_replica_from_another_region_is_encrypted_by_its_key() -> None:
    assert findings("rds-encrypted", planned(INSTANCE, replicateSourceDb="arn:a", kmsKeyId="arn:k")) == []
    assert certain(findings("rds-encrypted", planned(INSTANCE, replicateSourceDb="arn:a")))


@pytest.mark.parametrize("type", [INSTANCE, CLUSTER])
@pytest.mark.parametrize(
    "source",
    [
        {"snapshotIdentifier": "unencrypted"},
        {"snapshotIdentifier": UNKNOWN},
        {"restoreToPointInTime": {"sourceDbInstanceIdentifier": "old"}},
        {"replicateSourceDb": "old"},
    ],
    ids=str,
)
def test_what_a_database_is_restored_from_decides_about_its_encryption(type: str, source: dict[str, Any]) -> None:
    assert undecided(findings("rds-encrypted", planned(type, storageEncrypted=True, **source)))
    assert certain(findings("rds-encrypted", planned(type, storageEncrypted=False, **source)))
    assert undecided(findings("rds-encrypted", planned(type, storageEncrypted=UNKNOWN, **source)))


@pytest.mark.parametrize(
    ("type", "source"),
    [
        (CLUSTER, {"replicationSourceIdentifier": "arn:old"}),
        ("aws:neptune/cluster:Cluster", {"replicationSourceIdentifier": "arn:old"}),
        ("aws:rds/globalCluster:GlobalCluster", {"sourceDbClusterIdentifier": "arn:old"}),
    ],
)
def test_what_a_cluster_is_replicated_from_decides_about_its_encryption(type: str, source: dict[str, Any]) -> None:
    assert undecided(findings("rds-encrypted", planned(type, storageEncrypted=True, **source)))
    assert certain(findings("rds-encrypted", planned(type, storageEncrypted=False, **source)))


@pytest.mark.parametrize(
    "empty", [{"replicateSourceDb": "", "kmsKeyId": "arn:k"}, {"replicateSourceDb": "a", "kmsKeyId": ""}]
)
def test_an_empty_text_names_no_source_and_no_key(empty: dict[str, Any]) -> None:
    assert certain(findings("rds-encrypted", planned(INSTANCE, storageEncrypted=False, **empty)))


def test_redshift_has_names_of_its_own() -> None:
    assert findings("rds-encrypted", planned(REDSHIFT, encrypted="true")) == []
    assert certain(findings("rds-encrypted", planned(REDSHIFT, encrypted="false")))
    assert undecided(findings("rds-encrypted", planned(REDSHIFT)))
    assert undecided(findings("rds-encrypted", planned(REDSHIFT, encrypted=UNKNOWN)))


def test_no_snapshot_is_no_source() -> None:
    assert findings("rds-encrypted", planned(INSTANCE, storageEncrypted=True, snapshotIdentifier="")) == []


def test_aurora_serverless_is_encrypted_by_default() -> None:
    assert findings("rds-encrypted", planned(CLUSTER, engineMode="serverless")) == []
    assert certain(findings("rds-encrypted", planned(CLUSTER, engineMode="provisioned")))
    assert certain(findings("rds-encrypted", planned(CLUSTER, engineMode="serverless", storageEncrypted=False)))
    assert undecided(findings("rds-encrypted", planned(CLUSTER, engineMode=UNKNOWN)))
    assert certain(findings("rds-encrypted", planned(INSTANCE, engineMode="serverless")))


@pytest.mark.parametrize(
    "type",
    [
        INSTANCE,
        CLUSTER,
        CLUSTER_INSTANCE,
        REDSHIFT,
        "aws:lightsail/database:Database",
        "aws:neptune/clusterInstance:ClusterInstance",
        "aws:redshiftserverless/workgroup:Workgroup",
        "aws:timestreaminfluxdb/dbCluster:DbCluster",
        "aws:timestreaminfluxdb/dbInstance:DbInstance",
    ],
)
class TestPrivate:
    def test_compliant(self, type: str) -> None:
        assert findings("rds-private", planned(type, publiclyAccessible=False)) == []

    def test_violating(self, type: str) -> None:
        assert certain(findings("rds-private", planned(type, publiclyAccessible=True)))

    def test_absent_means_private(self, type: str) -> None:
        assert findings("rds-private", planned(type)) == []

    def test_unknown(self, type: str) -> None:
        assert undecided(findings("rds-private", planned(type, publiclyAccessible=UNKNOWN)))


def test_a_multi_zone_cluster_without_a_subnet_group_is_public_by_default() -> None:
    size = "db.m6gd.large"
    assert certain(findings("rds-private", planned(CLUSTER, dbClusterInstanceClass=size)))
    assert certain(findings("rds-private", planned(CLUSTER, dbClusterInstanceClass=size, dbSubnetGroupName="default")))
    assert findings("rds-private", planned(CLUSTER, dbClusterInstanceClass=size, dbSubnetGroupName="data")) == []
    assert undecided(findings("rds-private", planned(CLUSTER, dbClusterInstanceClass=size, dbSubnetGroupName=UNKNOWN)))


def test_other_types_are_left_alone() -> None:
    assert findings("rds-encrypted", planned("aws:rds/subnetGroup:SubnetGroup")) == []
    assert findings("rds-private", planned("aws:rds/parameterGroup:ParameterGroup", publiclyAccessible=True)) == []


def test_a_graph_of_neptune_analytics_has_a_name_of_its_own_for_it() -> None:
    graph = "aws:neptunegraph/graph:Graph"
    assert findings("rds-private", planned(graph)) == []
    assert findings("rds-private", planned(graph, publicConnectivity=False)) == []
    assert certain(findings("rds-private", planned(graph, publicConnectivity=True)))
    assert undecided(findings("rds-private", planned(graph, publicConnectivity=UNKNOWN)))


def test_a_shard_group_is_as_public_as_its_network_where_it_says_nothing() -> None:
    shards = "aws:rds/shardGroup:ShardGroup"
    assert findings("rds-private", planned(shards, publiclyAccessible=False)) == []
    assert certain(findings("rds-private", planned(shards, publiclyAccessible=True)))
    assert undecided(findings("rds-private", planned(shards)))
    assert undecided(findings("rds-private", planned(shards, publiclyAccessible=UNKNOWN)))
