from __future__ import annotations

from typing import Any

import pytest

from policies.rules import UNKNOWN
from tests.policies.plans import certain, findings, planned, undecided

INSTANCE = "aws:rds/instance:Instance"
CLUSTER = "aws:rds/cluster:Cluster"
CLUSTER_INSTANCE = "aws:rds/clusterInstance:ClusterInstance"


@pytest.mark.parametrize("type", [INSTANCE, CLUSTER])
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


def test_no_snapshot_is_no_source() -> None:
    assert findings("rds-encrypted", planned(INSTANCE, storageEncrypted=True, snapshotIdentifier="")) == []


def test_aurora_serverless_is_encrypted_by_default() -> None:
    assert findings("rds-encrypted", planned(CLUSTER, engineMode="serverless")) == []
    assert certain(findings("rds-encrypted", planned(CLUSTER, engineMode="provisioned")))
    assert certain(findings("rds-encrypted", planned(CLUSTER, engineMode="serverless", storageEncrypted=False)))
    assert undecided(findings("rds-encrypted", planned(CLUSTER, engineMode=UNKNOWN)))
    assert certain(findings("rds-encrypted", planned(INSTANCE, engineMode="serverless")))


@pytest.mark.parametrize("type", [INSTANCE, CLUSTER, CLUSTER_INSTANCE])
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
