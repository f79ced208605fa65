"""A suspended tenant keeps what it has, runs nothing and lets nobody in; resumed, it is what it was."""

from __future__ import annotations

from typing import Any

import pytest

from components.tenant import TenantWorkspace
from tests.components import samples
from tests.components.recording import Recording, declare

QUOTA = "kubernetes:core/v1:ResourceQuota"
BINDING = "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding"
POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
PROGRAMS = ("kubernetes:apps/v1:Deployment", "kubernetes:autoscaling/v2:HorizontalPodAutoscaler")
ONLY_WHILE_IT_WORKS = (*PROGRAMS, BINDING, POLICY)


def _tenant(*, suspended: bool) -> Recording:
    args = samples.tenant("acme", ("prod", "dev"), suspended=suspended)
    return declare(lambda: TenantWorkspace("acme", args))


@pytest.fixture(scope="module")
def working() -> Recording:
    return _tenant(suspended=False)


@pytest.fixture(scope="module")
def suspended() -> Recording:
    return _tenant(suspended=True)


def test_nothing_runs(working: Recording, suspended: Recording) -> None:
    for kind in PROGRAMS:
        assert working.of(kind)
        assert suspended.of(kind) == []
    for quota in suspended.of(QUOTA):
        hard = quota.plain()["spec"]["hard"]
        assert (hard["pods"], hard["count/jobs.batch"]) == ("0", "0")
        # A quota of storage below what is used would not take anything away either; it says what the plan gives.
        assert hard["requests.storage"] != "0"


def test_nobody_gets_in(suspended: Recording) -> None:
    assert suspended.inputs("postgresql:index/role:Role")["login"] is False
    rules = suspended.inputs("aws:elasticache/user:User")["accessString"].split()
    assert "off" in rules and "-@all" in rules
    assert not [rule for rule in rules if rule.startswith("+")]
    assert suspended.of(BINDING) == []
    denied = [policy.plain() for policy in suspended.of(POLICY)]
    assert {policy["metadata"]["namespace"] for policy in denied} == {"t-acme--prod", "t-acme--dev"}
    assert {policy["metadata"]["name"] for policy in denied} == {"default-deny"}


def test_the_role_of_the_objects_is_closed_at_both_ends(working: Recording, suspended: Recording) -> None:
    trust = suspended.one("aws:iam/role:Role").document("assumeRolePolicy")
    assert [one["Effect"] for one in trust["Statement"]] == ["Deny"]
    (statement,) = suspended.one("aws:iam/rolePolicy:RolePolicy").document()["Statement"]
    assert (statement["Effect"], statement["Action"], statement["Resource"]) == ("Deny", "*", "*")
    open_trust = working.one("aws:iam/role:Role").document("assumeRolePolicy")
    assert [one["Effect"] for one in open_trust["Statement"]] == ["Allow"]


def _kept(recording: Recording) -> dict[str, Any]:
    """All but what a suspension takes away, by URN."""
    return {one.urn: one for one in recording.resources if one.custom and one.type not in ONLY_WHILE_IT_WORKS}


def test_what_holds_data_or_a_password_is_the_same_resource(working: Recording, suspended: Recording) -> None:
    """None is taken away, added or replaced: the changes are those of `changeable`, which no provider replaces for."""
    before, after = _kept(working), _kept(suspended)
    assert before.keys() == after.keys()
    changeable = {
        "postgresql:index/role:Role": {"login"},
        "aws:elasticache/user:User": {"accessString"},
        "aws:iam/role:Role": {"assumeRolePolicy"},
        "aws:iam/rolePolicy:RolePolicy": {"policy"},
        QUOTA: {"spec"},
    }
    for urn, old in before.items():
        new = after[urn]
        assert old.protect == new.protect
        changed = {key for key in old.inputs if old.inputs[key] != new.inputs.get(key)} | new.inputs.keys() - old.inputs
        assert changed <= changeable.get(old.type, set()), urn


def test_no_two_resources_of_a_suspended_tenant_are_new(working: Recording, suspended: Recording) -> None:
    assert {one.urn for one in suspended.resources} < {one.urn for one in working.resources}
