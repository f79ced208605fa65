from __future__ import annotations

from typing import Any

import pytest

from policies.rules import UNKNOWN, Planned
from tests.policies.plans import certain, findings, planned, undecided, urn

POLICY = "tenant-namespace-has-quota-and-default-deny"
NAMESPACE = "kubernetes:core/v1:Namespace"
QUOTA = "kubernetes:core/v1:ResourceQuota"
NETWORK_POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
NAME = "t-acme--main"


def namespace(name: Any = NAME, **metadata: Any) -> Planned:
    return planned(NAMESPACE, "space", metadata={"name": name} | metadata)


def quota(namespace: Any = NAME, hard: Any = None) -> Planned:
    return planned(QUOTA, "quota", metadata={"namespace": namespace}, spec={"hard": hard or {"pods": "10"}})


def deny(*types: str, namespace: Any = NAME, **spec: Any) -> Planned:
    whole = {"podSelector": {}, "policyTypes": list(types)} | spec
    return planned(NETWORK_POLICY, "deny", metadata={"namespace": namespace}, spec=whole)


def test_compliant() -> None:
    assert findings(POLICY, namespace(), quota(), deny("Ingress", "Egress")) == []
    assert findings(POLICY, namespace(), quota(), deny("Ingress"), deny("Egress")) == []


def test_a_namespace_without_a_quota_is_a_violation() -> None:
    found = findings(POLICY, namespace(), deny("Ingress", "Egress"))
    assert certain(found)
    assert [finding.urn for finding in found] == [urn(NAMESPACE, "space")]
    assert certain(findings(POLICY, namespace(), quota("t-other--main"), deny("Ingress", "Egress")))


@pytest.mark.parametrize("spec", [{}, {"hard": {}}, None])
def test_a_quota_without_limits_does_not_count(spec: Any) -> None:
    empty = planned(QUOTA, "quota", metadata={"namespace": NAME}, spec=spec)
    assert certain(findings(POLICY, namespace(), empty, deny("Ingress", "Egress")))


@pytest.mark.parametrize("direction", ["Ingress", "Egress"])
def test_both_directions_must_be_denied(direction: str) -> None:
    found = findings(POLICY, namespace(), quota(), deny(direction))
    assert certain(found)
    assert len(found) == 1


@pytest.mark.parametrize(
    "spec", [{"podSelector": {"matchLabels": {"app": "x"}}}, {"ingress": [{}], "egress": [{}]}], ids=str
)
def test_a_policy_that_leaves_pods_or_traffic_out_does_not_count(spec: dict[str, Any]) -> None:
    assert len(findings(POLICY, namespace(), quota(), deny("Ingress", "Egress", **spec))) == 2


def test_absent_policy_types_mean_ingress_only() -> None:
    absent = planned(NETWORK_POLICY, "deny", metadata={"namespace": NAME}, spec={"podSelector": {}})
    found = findings(POLICY, namespace(), quota(), absent)
    assert certain(found)
    assert ["egress" in finding.reason for finding in found] == [True]


def test_namespaces_that_are_no_tenants_are_left_alone() -> None:
    assert findings(POLICY, namespace("monitoring")) == []
    assert len(findings(POLICY, namespace("shared", labels={"freehold.dev/tenant": "acme"}))) == 3


def test_unknown_values_cannot_be_told() -> None:
    assert undecided(findings(POLICY, namespace(UNKNOWN)))
    assert undecided(findings(POLICY, planned(NAMESPACE, "space", metadata=UNKNOWN)))
    assert undecided(findings(POLICY, namespace(), quota(hard=UNKNOWN), deny("Ingress", "Egress")))
    assert undecided(findings(POLICY, namespace(), quota(), deny("Ingress", "Egress", podSelector=UNKNOWN)))
    unknown = planned(NETWORK_POLICY, "deny", metadata={"namespace": NAME}, spec=UNKNOWN)
    assert undecided(findings(POLICY, namespace(), quota(), unknown))


def test_an_unknown_namespace_is_followed_to_where_it_comes_from() -> None:
    links = {"metadata": [urn(NAMESPACE, "space")]}
    parts = [
        planned(QUOTA, "quota", links=links, metadata={"namespace": UNKNOWN}, spec={"hard": {"pods": "1"}}),
        planned(
            NETWORK_POLICY,
            "deny",
            links=links,
            metadata={"namespace": UNKNOWN},
            spec={"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
        ),
    ]
    assert findings(POLICY, namespace(UNKNOWN, labels={"freehold.dev/tenant": "acme"}), *parts) == []
    assert certain(findings(POLICY, namespace(), parts[0]))
