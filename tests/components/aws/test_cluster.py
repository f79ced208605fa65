"""The control plane: who reaches it, who administers it, what protects it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pulumi_aws import ec2

from components.aws.cluster import Cluster
from components.kubernetes.provider import cluster_provider
from tests.components import samples
from tests.components.recording import ACCOUNT, declare

ASSOCIATION = "aws:eks/accessPolicyAssociation:AccessPolicyAssociation"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"


def test_control_plane() -> None:
    recording = declare(lambda: Cluster("cluster", samples.cluster()))
    cluster = recording.inputs("aws:eks/cluster:Cluster")
    assert cluster["accessConfig"] == {
        "authenticationMode": "API",
        "bootstrapClusterCreatorAdminPermissions": False,
    }
    assert cluster["encryptionConfig"]["resources"] == ["secrets"]
    assert len(cluster["enabledClusterLogTypes"]) == 5
    assert cluster["vpcConfig"]["endpointPrivateAccess"] is True
    assert cluster["vpcConfig"]["endpointPublicAccess"] is False


@pytest.mark.parametrize(("extended", "support"), [(True, "EXTENDED"), (False, "STANDARD")])
def test_what_comes_after_the_end_of_standard_support(extended: bool, support: str) -> None:
    args = replace(samples.cluster(), extended_support=extended)
    cluster = declare(lambda: Cluster("cluster", args)).inputs("aws:eks/cluster:Cluster")
    assert cluster["upgradePolicy"] == {"supportType": support}


def test_logs_are_there_before_the_control_plane_and_outlive_it() -> None:
    recording = declare(lambda: Cluster("cluster", samples.cluster()))
    logs = recording.one("aws:cloudwatch/logGroup:LogGroup")
    assert logs.plain()["name"] == "/aws/eks/chronos-cloud-sandbox/cluster"
    assert logs.plain()["retentionInDays"] == 7
    assert logs.urn in recording.one("aws:eks/cluster:Cluster").dependencies


def test_public_endpoint_only_for_named_networks() -> None:
    recording = declare(lambda: Cluster("cluster", samples.cluster(public_cidrs=("203.0.113.0/24",))))
    config = recording.inputs("aws:eks/cluster:Cluster")["vpcConfig"]
    assert config["endpointPublicAccess"] is True
    assert config["publicAccessCidrs"] == ["203.0.113.0/24"]


def test_admins_by_access_entries() -> None:
    recording = declare(lambda: Cluster("cluster", samples.cluster()))
    entries = recording.of("aws:eks/accessEntry:AccessEntry")
    links = recording.of(ASSOCIATION)
    expected = {f"arn:aws:iam::{ACCOUNT}:role/ci", f"arn:aws:iam::{ACCOUNT}:user/ada"}
    assert {entry.plain()["principalArn"] for entry in entries} == expected
    assert {link.plain()["principalArn"] for link in links} == expected
    assert {link.plain()["policyArn"] for link in links} == {
        "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
    }


def test_what_is_made_in_the_cluster_comes_after_whoever_is_let_in_and_does_not_change_with_another() -> None:
    """Of another administrator a preview knows no id, and would show an update of all that goes by it. But where nobody
    is let in yet it must not know the kubeconfig: the cluster would refuse it, and the run that mends that with it."""

    def program() -> None:
        cluster = Cluster("cluster", replace(samples.cluster(), operator_cidrs=("10.99.0.0/22",)))
        ec2.SecurityGroup("taker", vpc_id="vpc-1", description=cluster.kubeconfig)
        cluster_provider(cluster.kubeconfig, cluster.oidc_issuer, after=cluster.admitted)

    recording = declare(program)
    ways = {way.urn for way in (*recording.of(ASSOCIATION), *recording.of(INGRESS))}
    assert len(ways) == 3
    assert ways <= recording.one("pulumi:providers:kubernetes").dependencies
    first = samples.cluster().admins[0]
    (last,) = (link for link in recording.of(ASSOCIATION) if link.plain()["principalArn"] == first)
    assert recording.named("taker").dependencies == {recording.one("aws:eks/cluster:Cluster").urn, last.urn}
    assert ways - {last.urn} <= last.dependencies


def test_operators_reach_the_private_endpoint() -> None:
    def rules(*cidrs: str) -> list[tuple[str, int]]:
        args = replace(samples.cluster(), operator_cidrs=cidrs)
        made = declare(lambda: Cluster("cluster", args)).of(INGRESS)
        return [(rule.plain()["cidrIpv4"], rule.plain()["toPort"]) for rule in made]

    assert rules() == []
    assert rules("10.99.0.0/22") == [("10.99.0.0/22", 443)]


@pytest.mark.parametrize("protect", [False, True])
def test_protection_by_the_engine_and_by_the_cloud(protect: bool) -> None:
    recording = declare(lambda: Cluster("cluster", samples.cluster(protect=protect)))
    cluster = recording.one("aws:eks/cluster:Cluster")
    assert cluster.protect is cluster.plain()["deletionProtection"] is protect
    assert recording.one("aws:kms/key:Key").protect is protect
