from __future__ import annotations

import pytest

from policies.rules import UNKNOWN
from tests.policies.plans import certain, findings, planned, undecided

POLICY = "redis-transit-encryption"
GROUP = "aws:elasticache/replicationGroup:ReplicationGroup"
CLUSTER = "aws:elasticache/cluster:Cluster"


def test_compliant() -> None:
    assert findings(POLICY, planned(GROUP, transitEncryptionEnabled=True)) == []
    assert findings(POLICY, planned(GROUP, transitEncryptionEnabled=True, transitEncryptionMode="required")) == []


def test_violating() -> None:
    assert certain(findings(POLICY, planned(GROUP, transitEncryptionEnabled=False)))


def test_absent_means_unencrypted() -> None:
    assert certain(findings(POLICY, planned(GROUP)))


def test_unknown() -> None:
    assert undecided(findings(POLICY, planned(GROUP, transitEncryptionEnabled=UNKNOWN)))


def test_a_mode_that_also_serves_plain_clients_is_a_violation() -> None:
    assert certain(findings(POLICY, planned(GROUP, transitEncryptionEnabled=True, transitEncryptionMode="preferred")))
    assert undecided(findings(POLICY, planned(GROUP, transitEncryptionEnabled=True, transitEncryptionMode=UNKNOWN)))


@pytest.mark.parametrize("engine", ["redis", "valkey", None])
def test_a_lone_cluster_cannot_be_encrypted(engine: str | None) -> None:
    assert certain(findings(POLICY, planned(CLUSTER, engine=engine)))


def test_the_primary_of_a_global_datastore_decides_for_its_secondaries() -> None:
    assert undecided(findings(POLICY, planned(GROUP, globalReplicationGroupId="ldgnf-main")))
    assert undecided(findings(POLICY, planned(GROUP, globalReplicationGroupId=UNKNOWN)))
    assert certain(findings(POLICY, planned(GROUP, globalReplicationGroupId="")))


def test_memorydb_is_encrypted_unless_told_otherwise() -> None:
    memorydb = "aws:memorydb/cluster:Cluster"
    assert findings(POLICY, planned(memorydb)) == findings(POLICY, planned(memorydb, tlsEnabled=True)) == []
    assert certain(findings(POLICY, planned(memorydb, tlsEnabled=False)))
    assert undecided(findings(POLICY, planned(memorydb, tlsEnabled=UNKNOWN)))


def test_memorydb_over_several_regions_says_that_it_is_encrypted() -> None:
    regions = "aws:memorydb/multiRegionCluster:MultiRegionCluster"
    assert findings(POLICY, planned(regions, tlsEnabled=True)) == []
    assert certain(findings(POLICY, planned(regions, tlsEnabled=False)))
    assert undecided(findings(POLICY, planned(regions)))
    assert undecided(findings(POLICY, planned(regions, tlsEnabled=UNKNOWN)))


def test_memcached_and_members_of_a_group_are_left_alone() -> None:
    assert findings(POLICY, planned(CLUSTER, engine="memcached")) == []
    assert findings(POLICY, planned(CLUSTER, replicationGroupId="main")) == []
    assert certain(findings(POLICY, planned(CLUSTER, replicationGroupId="", engine="redis")))
    assert undecided(findings(POLICY, planned(CLUSTER, engine=UNKNOWN)))
