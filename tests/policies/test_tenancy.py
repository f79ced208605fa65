from __future__ import annotations

from typing import Any

import pytest

from policies.rules import UNKNOWN, Finding, Planned
from tests.policies.plans import certain, findings, planned, undecided, urn

POLICY = "tenant-namespace-has-quota-and-default-deny"
NAMESPACE = "kubernetes:core/v1:Namespace"
QUOTA = "kubernetes:core/v1:ResourceQuota"
NETWORK_POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
NETWORK_POLICY_PATCH = "kubernetes:networking.k8s.io/v1:NetworkPolicyPatch"
NAMESPACE_PATCH = "kubernetes:core/v1:NamespacePatch"
NAME = "t-acme--main"
ENOUGH = {"pods": "10", "limits.cpu": "2", "limits.memory": "4Gi"}
NOT_PUBLIC = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"]


def namespace(name: Any = NAME, **metadata: Any) -> Planned:
    return planned(NAMESPACE, "space", metadata={"name": name} | metadata)


def quota(namespace: Any = NAME, hard: Any = None, **spec: Any) -> Planned:
    return planned(QUOTA, "quota", metadata={"namespace": namespace}, spec={"hard": hard or ENOUGH} | spec)


def allow(type: str = NETWORK_POLICY, /, *, namespace: Any = NAME, **spec: Any) -> Planned:
    return planned(type, "allow", metadata={"namespace": namespace}, spec={"podSelector": {}} | spec)


def beside(*resources: Planned) -> list[Finding]:
    """What is found where these lie beside a namespace that is in order."""
    return findings(POLICY, namespace(), quota(), deny("Ingress", "Egress"), *resources)


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
    "spec",
    [
        {"podSelector": {"matchLabels": {"app": "x"}}},
        {"ingress": [{"from": [{"podSelector": {}}]}], "egress": [{"to": [{"podSelector": {}}]}]},
    ],
    ids=str,
)
def test_a_policy_that_leaves_pods_or_traffic_out_does_not_count(spec: dict[str, Any]) -> None:
    assert len(findings(POLICY, namespace(), quota(), deny("Ingress", "Egress", **spec))) == 2


@pytest.mark.parametrize(
    "hard", [{"configmaps": "1000000"}, ENOUGH | {"pods": None}, {"pods": "10", "requests.cpu": "1"}], ids=str
)
def test_a_quota_that_leaves_pods_or_what_they_take_without_limit_does_not_count(hard: dict[str, Any]) -> None:
    assert certain(findings(POLICY, namespace(), quota(hard=hard), deny("Ingress", "Egress")))


@pytest.mark.parametrize("missing", ENOUGH)
def test_what_no_quota_limits_is_named(missing: str) -> None:
    rest = {name: most for name, most in ENOUGH.items() if name != missing}
    (found,) = findings(POLICY, namespace(), quota(hard=rest), deny("Ingress", "Egress"))
    assert f"`{missing}`" in found.reason
    assert not any(f"`{name}`" in found.reason for name in rest)
    # Quotas add up.
    assert findings(POLICY, namespace(), quota(hard=rest), quota(hard={missing: "1"}), deny("Ingress", "Egress")) == []


def test_pods_may_be_limited_as_objects_too() -> None:
    hard = {"count/pods": "50", "limits.cpu": "2", "limits.memory": "4Gi"}
    assert findings(POLICY, namespace(), quota(hard=hard), deny("Ingress", "Egress")) == []


@pytest.mark.parametrize(
    "scope",
    [
        {"scopes": ["BestEffort"]},
        {"scopeSelector": {"matchExpressions": [{"scopeName": "CrossNamespacePodAffinity", "operator": "Exists"}]}},
    ],
    ids=str,
)
def test_a_quota_over_some_pods_does_not_count(scope: dict[str, Any]) -> None:
    assert certain(findings(POLICY, namespace(), quota(**scope), deny("Ingress", "Egress")))
    assert beside(quota(hard={"pods": "0"}, **scope)) == []


@pytest.mark.parametrize(("most", "found"), [(1024, 0), (1023, 1)])
def test_as_many_private_addresses_as_the_settings_say(most: int, found: int) -> None:
    data = allow(egress=[{"to": [{"ipBlock": {"cidr": "10.40.240.0/22"}}]}])
    whole = (namespace(), quota(), deny("Ingress", "Egress"), data)
    assert len(findings(POLICY, *whole, settings={"privateAddressesAtMost": most})) == found


SOME = {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}
TOO_WIDE: dict[str, list[Any]] = {
    "nobody named": [],
    "every namespace": [{"namespaceSelector": {}}],
    "some pods of every namespace": [
        {"namespaceSelector": {}, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}
    ],
    "the world": [{"ipBlock": {"cidr": "0.0.0.0/0"}}],
    "the world of IPv6": [{"ipBlock": {"cidr": "::/0"}}],
    "the world but for little": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.1.0.0/16"]}}],
    "the world but for one": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": NOT_PUBLIC[1:]}}],
    "the world in halves": [{"ipBlock": {"cidr": "0.0.0.0/1"}}, {"ipBlock": {"cidr": "128.0.0.0/1"}}],
    "a private network": [{"ipBlock": {"cidr": "10.0.0.0/8"}}],
    "a private network in halves": [{"ipBlock": {"cidr": "10.0.0.0/9"}}, {"ipBlock": {"cidr": "10.128.0.0/9"}}],
    "the cell's own network": [{"ipBlock": {"cidr": "10.40.0.0/16"}}],
    "a network of pods": [{"ipBlock": {"cidr": "10.40.64.0/18"}}],
    "half a private network": [{"ipBlock": {"cidr": "10.0.0.0/9"}}],
    "a network in pieces": [{"ipBlock": {"cidr": f"10.40.{n}.0/22"}} for n in range(0, 64, 4)],
    "namespaces with a label, whatever it says": [
        {"namespaceSelector": {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "Exists"}]}}
    ],
    "namespaces without a label": [
        {"namespaceSelector": {"matchExpressions": [{"key": "nope", "operator": "DoesNotExist"}]}}
    ],
    "namespaces but for one": [
        {"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["b"]}]}}
    ],
    "namespaces by what all tenants share": [
        {"namespaceSelector": {"matchLabels": {"freehold.dev/environment": "prod"}}}
    ],
    "namespaces by their security": [
        {
            "namespaceSelector": {
                "matchLabels": {"app.kubernetes.io/managed-by": "freehold"},
                "matchExpressions": [
                    {"key": "pod-security.kubernetes.io/enforce", "operator": "In", "values": ["restricted"]}
                ],
            }
        }
    ],
    "two subnets of IPv6": [{"ipBlock": {"cidr": "fd00::/63"}}],
    "the links of IPv6": [{"ipBlock": {"cidr": "fe80::/10"}}],
    "one of several": [{"podSelector": {}}, {"ipBlock": {"cidr": "0.0.0.0/0"}}],
    "no block": [{"ipBlock": {"cidr": "everywhere"}}],
    "an empty block": [{"ipBlock": {}}],
    "an empty peer": [{}],
    "null": [None],
}
NARROW: dict[str, list[Any]] = {
    "own pods": [{"podSelector": {}}],
    "a namespace": [{"namespaceSelector": SOME}],
    "a namespace of an environment": [
        {"namespaceSelector": {"matchLabels": {"freehold.dev/environment": "prod", "role": "entry"}}}
    ],
    "the public world": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": NOT_PUBLIC}}],
    "namespaces by an expression": [
        {"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}}
    ],
    "the data subnets of a /16": [{"ipBlock": {"cidr": f"10.40.{n}.0/22"}} for n in (240, 244, 248)],
    "what an exception leaves": [{"ipBlock": {"cidr": "10.40.0.0/21", "except": ["10.40.4.0/22"]}}],
    "a subnet of IPv6": [{"ipBlock": {"cidr": "fd00:0:0:1::/64"}}],
    "a subnet": [{"ipBlock": {"cidr": "10.0.2.0/24"}}, {"ipBlock": {"cidr": "10.0.3.0/24"}}],
}


@pytest.mark.parametrize("direction", ["ingress", "egress"])
@pytest.mark.parametrize("type", [NETWORK_POLICY, NETWORK_POLICY_PATCH])
class TestBesideADenial:
    @pytest.mark.parametrize("peers", TOO_WIDE.values(), ids=TOO_WIDE)
    @pytest.mark.parametrize("ports", [{}, {"ports": [{"port": 443}]}], ids=["all", "port"])
    def test_a_rule_for_everybody_is_a_violation(
        self, type: str, direction: str, peers: list[Any], ports: dict[str, Any]
    ) -> None:
        rule = {"from" if direction == "ingress" else "to": peers, **ports}
        (found,) = beside(allow(type, **{direction: [rule]}))
        assert found.certain
        assert (found.urn, found.path) == (urn(type, "allow"), f"spec.{direction}[0]")

    @pytest.mark.parametrize("peers", NARROW.values(), ids=NARROW)
    def test_a_rule_for_somebody_is_compliant(self, type: str, direction: str, peers: list[Any]) -> None:
        assert beside(allow(type, **{direction: [{"from" if direction == "ingress" else "to": peers}]})) == []

    def test_rules_and_policies_of_a_namespace_add_up(self, type: str, direction: str) -> None:
        peers = "from" if direction == "ingress" else "to"
        blocks = [[{peers: [{"ipBlock": {"cidr": f"10.40.{n}.0/22"}}]}] for n in range(0, 16, 4)]
        (found,) = beside(allow(type, **{direction: [rule for block in blocks for rule in block]}))
        assert found.certain and found.path == f"spec.{direction}" and found.urn == urn(type, "allow")
        (found,) = beside(*(allow(type, **{direction: block}) for block in blocks))
        assert found.certain and found.path == f"spec.{direction}"
        elsewhere = allow(type, namespace="t-other--main", **{direction: blocks[-1]})
        assert beside(*(allow(type, **{direction: block}) for block in blocks[:-1]), elsewhere) == []
        other = "egress" if direction == "ingress" else "ingress"
        last = {other: [{"to" if peers == "from" else "from": blocks[-1][0][peers]}]}
        assert beside(*(allow(type, **{direction: block}) for block in blocks[:-1]), allow(type, **last)) == []

    @pytest.mark.parametrize("rule", [{}, None, "x"], ids=str)
    def test_an_empty_rule_is_a_violation(self, type: str, direction: str, rule: Any) -> None:
        assert certain(beside(allow(type, **{direction: [rule]})))

    def test_what_is_unknown_cannot_be_told(self, type: str, direction: str) -> None:
        peers = "from" if direction == "ingress" else "to"
        rules: tuple[Any, ...] = (UNKNOWN, [UNKNOWN], [{peers: UNKNOWN}], [{peers: [UNKNOWN]}])
        blocks: tuple[Any, ...] = (UNKNOWN, {"cidr": UNKNOWN}, {"cidr": "0.0.0.0/0", "except": UNKNOWN})
        for each in (*rules, *([{peers: [{"ipBlock": block}]}] for block in blocks)):
            assert undecided(beside(allow(type, **{direction: each}))), each
        assert undecided(beside(allow(type, **{direction: [{peers: [{"namespaceSelector": UNKNOWN}]}]})))

    def test_a_violation_is_not_hidden_by_an_unknown_beside_it(self, type: str, direction: str) -> None:
        peers = [UNKNOWN, {"ipBlock": {"cidr": "0.0.0.0/0"}}]
        rule = {"from" if direction == "ingress" else "to": peers}
        assert certain(beside(allow(type, **{direction: [rule]})))

    def test_it_is_seen_where_another_stack_makes_the_namespace(self, type: str, direction: str) -> None:
        assert certain(findings(POLICY, allow(type, **{direction: [{}]})))
        assert undecided(findings(POLICY, allow(type, namespace=UNKNOWN, **{direction: [{}]})))
        assert findings(POLICY, allow(type, namespace="monitoring", **{direction: [{}]})) == []


def test_a_policy_of_the_platform_s_own_namespace_is_left_alone() -> None:
    wide = planned(
        NETWORK_POLICY,
        "allow",
        links={"metadata": [urn(NAMESPACE, "space")]},
        metadata={"namespace": UNKNOWN},
        spec={"podSelector": {}, "ingress": [{}]},
    )
    assert findings(POLICY, namespace("monitoring"), wide) == []
    assert undecided(findings(POLICY, namespace(UNKNOWN), wide))


@pytest.mark.parametrize(
    "spec", [{"podSelector": {"matchLabels": {"app": "x"}}}, {"policyTypes": ["Ingress"]}, UNKNOWN], ids=str
)
def test_a_denial_that_a_patch_narrows_does_not_count(spec: Any) -> None:
    meta = {"namespace": NAME, "name": "default-deny"}
    whole = planned(
        NETWORK_POLICY, "deny", metadata=meta, spec={"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    )
    patch = planned(NETWORK_POLICY_PATCH, "patch", metadata=meta, spec=spec)
    found = findings(POLICY, namespace(), quota(), whole, patch)
    assert undecided(found) if spec is UNKNOWN else certain(found)
    other = planned(NETWORK_POLICY_PATCH, "patch", metadata=meta | {"name": "other"}, spec=spec)
    assert not any(finding.certain for finding in findings(POLICY, namespace(), quota(), whole, other))


def test_a_namespace_that_a_patch_makes_a_tenant_s_is_judged() -> None:
    shared = planned(NAMESPACE, "space", metadata={"name": "shared"})
    patch = planned(NAMESPACE_PATCH, "patch", metadata={"name": "shared", "labels": {"freehold.dev/tenant": "acme"}})
    found = findings(POLICY, shared, patch)
    assert certain(found)
    assert {finding.urn for finding in found} == {urn(NAMESPACE_PATCH, "patch")}
    assert findings(POLICY, shared, patch, quota("shared"), deny("Ingress", "Egress", namespace="shared")) == []


@pytest.mark.parametrize("metadata", ["x", None, [], {"labels": "x", "name": NAME}, {"name": NAME, "labels": None}])
def test_malformed_metadata_is_no_crash(metadata: Any) -> None:
    found = findings(POLICY, planned(NAMESPACE, "space", metadata=metadata))
    assert bool(found) == isinstance(metadata, dict)
    assert not findings(POLICY, planned(QUOTA, metadata=metadata), planned(NETWORK_POLICY, metadata=metadata))


@pytest.mark.parametrize("spec", ["x", [], {"hard": "x"}, {"hard": ["pods"]}])
def test_a_malformed_quota_does_not_count(spec: Any) -> None:
    malformed = planned(QUOTA, "quota", metadata={"namespace": NAME}, spec=spec)
    assert certain(findings(POLICY, namespace(), malformed, deny("Ingress", "Egress")))


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
        planned(QUOTA, "quota", links=links, metadata={"namespace": UNKNOWN}, spec={"hard": ENOUGH}),
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
