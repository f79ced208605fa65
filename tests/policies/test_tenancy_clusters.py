"""Which cluster a tenant's namespace is in, and who else than the program makes something in it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from policies.rules import UNKNOWN, Planned
from tests.policies.plans import certain, findings, planned, undecided, urn
from tests.policies.test_tenancy import NAME, POLICY, deny, namespace, quota

RELEASE = "kubernetes:helm.sh/v3:Release"
OWN, OTHER = {"kubeconfig": "own"}, {"kubeconfig": "other"}


def by(provider: dict[str, Any], *resources: Planned) -> list[Planned]:
    return [replace(resource, provider=provider) for resource in resources]


@pytest.mark.parametrize("elsewhere", [OTHER, {}, {"kubeconfig": "own", "context": "other"}], ids=str)
def test_what_goes_to_another_cluster_does_not_count(elsewhere: dict[str, Any]) -> None:
    parts = [quota(), deny("Ingress", "Egress")]
    assert len(findings(POLICY, *by(OWN, namespace()), *by(elsewhere, *parts))) == 3
    assert certain(findings(POLICY, *by(OWN, namespace(), quota()), *by(elsewhere, deny("Ingress", "Egress"))))


def test_two_providers_for_one_cluster_are_one() -> None:
    again = OWN | {"namespace": "x"}
    assert findings(POLICY, *by(OWN, namespace()), *by(again, quota(), deny("Ingress", "Egress"))) == []
    later = {"kubeconfig": UNKNOWN}
    assert findings(POLICY, *by(later, namespace()), *by(later, quota(), deny("Ingress", "Egress"))) == []


def test_a_namespace_whose_name_is_made_up_is_a_tenant_s_by_how_it_begins() -> None:
    assert certain(findings(POLICY, namespace(None, generateName="t-acme-")))
    assert findings(POLICY, namespace(None, generateName="monitoring-")) == []
    assert undecided(findings(POLICY, namespace(None, generateName=UNKNOWN)))


def release(**properties: Any) -> Planned:
    return planned(RELEASE, "chart", **properties)


def test_what_a_chart_makes_in_a_tenant_s_namespace_cannot_be_told() -> None:
    parts = [namespace(), quota(), deny("Ingress", "Egress")]
    assert undecided(findings(POLICY, *parts, release(namespace=NAME)))
    assert undecided(findings(POLICY, release(namespace=NAME)))
    assert undecided(findings(POLICY, release(namespace=UNKNOWN)))
    assert findings(POLICY, *parts, release(namespace="monitoring"), release()) == []
    linked = planned(RELEASE, "chart", links={"namespace": [urn("kubernetes:core/v1:Namespace", "space")]})
    own = replace(linked, properties={"namespace": UNKNOWN})
    assert findings(POLICY, namespace("monitoring"), own) == []


def test_a_namespace_that_helm_makes_is_judged_like_any_other() -> None:
    made = release(namespace=NAME, createNamespace=True)
    assert sum(finding.certain for finding in findings(POLICY, made)) == 3
    assert undecided(findings(POLICY, made, quota(), deny("Ingress", "Egress")))
    assert findings(POLICY, release(namespace="monitoring", createNamespace=True)) == []
    assert undecided(findings(POLICY, release(namespace=NAME, createNamespace=False)))
