"""The products' published figures, as their plan tables have them."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from pydantic import ValidationError

from catalog import blueprints
from catalog.plans import Blueprint, Plan, Tier, WorkspaceSize, amount

CHRONOS = blueprints.load("chronos-cloud")


@pytest.mark.parametrize("name", blueprints.names())
def test_every_blueprint_loads_under_its_own_name(name: str) -> None:
    assert blueprints.load(name).name == name


def test_an_unknown_blueprint_names_those_there_are() -> None:
    with pytest.raises(KeyError, match="chronos-cloud"):
        blueprints.load("nope")


@pytest.mark.parametrize(
    ("plan", "tier", "price", "quota", "sla", "support", "analytics"),
    [
        ("free", Tier.POOL, 0, (1, 3, 10, 1_000), None, "community", "basic"),
        ("starter", Tier.BRIDGE, 29, (3, 10, 100, 50_000), "99.5", "email", "standard"),
        ("pro", Tier.BRIDGE, 99, (10, 50, 1_000, 500_000), "99.9", "priority", "advanced"),
        ("enterprise", Tier.SILO, 499, (None, None, None, None), "99.99", "dedicated", "advanced"),
    ],
)
def test_chronos_plans(
    plan: str,
    tier: Tier,
    price: int,
    quota: tuple[int | None, ...],
    sla: str | None,
    support: str,
    analytics: str,
) -> None:
    found = CHRONOS.plan(plan)
    assert found.tier is tier
    assert found.price.monthly == price and found.price.currency == "USD"
    limits = found.quota
    assert (limits.workspaces, limits.members, limits.jobs_per_workspace, limits.executions_per_month) == quota
    assert found.sla_percent == (Decimal(sla) if sla else None)
    assert (found.support, found.analytics) == (support, analytics)


@pytest.mark.parametrize(
    ("feature", "plans"),
    [
        ("dag_workflows", {"starter", "pro", "enterprise"}),
        ("sso", {"enterprise"}),
        ("audit_logs", {"pro", "enterprise"}),
    ],
)
def test_chronos_features(feature: str, plans: set[str]) -> None:
    assert {plan.name for plan in CHRONOS.plans if feature in plan.features} == plans


def test_chronos_roles_from_the_most_powerful() -> None:
    assert CHRONOS.roles == ("owner", "admin", "member", "viewer")


def test_a_bigger_plan_is_smaller_in_nothing() -> None:
    sized = [plan.size for plan in CHRONOS.plans if plan.size is not None]
    for smaller, bigger in pairwise(sized):
        for name in WorkspaceSize.model_fields:
            ours, theirs = getattr(smaller, name), getattr(bigger, name)
            assert amount(str(ours)) < amount(str(theirs)), name


def test_an_unknown_plan_names_those_there_are() -> None:
    with pytest.raises(KeyError, match="free, starter, pro, enterprise"):
        CHRONOS.plan("gold")


def test_models_are_frozen_and_closed() -> None:
    plan = CHRONOS.plan("pro")
    with pytest.raises(ValidationError, match="frozen"):
        plan.name = "other"
    with pytest.raises(ValidationError, match="Extra inputs"):
        Plan.model_validate({**plan.model_dump(), "colour": "red"})


def test_a_plan_without_room_must_be_pooled() -> None:
    with pytest.raises(ValidationError, match="pool plan has no workspace size"):
        Plan.model_validate({**CHRONOS.plan("pro").model_dump(), "size": None})


def test_nor_has_a_pooled_one_room() -> None:
    with pytest.raises(ValidationError, match="pool plan has no workspace size"):
        Plan.model_validate({**CHRONOS.plan("pro").model_dump(), "tier": "pool"})


@pytest.mark.parametrize("percent", ["0", "100", "-1"])
def test_what_nobody_can_promise(percent: str) -> None:
    with pytest.raises(ValidationError, match="sla_percent"):
        Plan.model_validate({**CHRONOS.plan("pro").model_dump(), "sla_percent": percent})


def test_two_plans_of_one_name_are_refused() -> None:
    broken = CHRONOS.model_dump()
    broken["plans"][2]["name"] = broken["plans"][1]["name"]
    with pytest.raises(ValidationError, match="two plans have the same name"):
        Blueprint.model_validate(broken)


def test_undeclared_features_are_refused() -> None:
    broken = CHRONOS.model_dump()
    broken["plans"][1]["features"] = {"teleport"}
    with pytest.raises(ValidationError, match="undeclared features: teleport"):
        Blueprint.model_validate(broken)


@pytest.mark.parametrize(
    ("text", "value"), [("500m", Decimal("0.5")), ("2", Decimal(2)), ("4Gi", Decimal(4 * 2**30)), ("1Ti", 2**40)]
)
def test_amounts(text: str, value: Decimal) -> None:
    assert amount(text) == value


@pytest.mark.parametrize(("what", "requests"), [("cpu", "2500m"), ("memory", "2049Mi")])
def test_requests_may_not_exceed_limits(what: str, requests: str) -> None:
    size = CHRONOS.plan("starter").size
    assert size is not None
    with pytest.raises(ValidationError, match=f"{what}_requests exceed {what}_limits"):
        WorkspaceSize.model_validate({**size.model_dump(), f"{what}_requests": requests})


@pytest.mark.parametrize(
    ("field", "quantity"),
    [
        ("memory_limits", "128m"),
        ("memory_limits", "2048"),
        ("storage", "10G"),
        ("storage", "1.5Gi"),
        ("cpu_limits", "2Gi"),
        ("cpu_limits", "0.5"),
        ("cpu_limits", "2\n"),
    ],
)
def test_quantities_are_in_the_units_of_what_they_count(field: str, quantity: str) -> None:
    size = CHRONOS.plan("starter").size
    assert size is not None
    with pytest.raises(ValidationError, match=r"is no (number of processors|amount of memory or storage) such as"):
        WorkspaceSize.model_validate({**size.model_dump(), field: quantity})


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"roles": ("owner",)}, "at least two are wanted"),
        ({"roles": ("owner", "owner")}, "of different names"),
        ({"workloads": CHRONOS.model_dump()["workloads"] * 2}, "two workloads have the same name"),
        (
            {"workloads": [{**CHRONOS.model_dump()["workloads"][0], "replicas_minimum": 3}]},
            "plan starter has room for fewer replicas than scheduler begins with",
        ),
        ({"name": "Chronos Cloud"}, "'Chronos Cloud' is no name of lower-case letters"),
    ],
)
def test_a_blueprint_that_no_tenant_could_be_built_from_is_refused(change: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Blueprint.model_validate({**CHRONOS.model_dump(), **change})
