from __future__ import annotations

import json
from typing import Any

import pytest

from components import tags as component_tags
from policies import taggable
from policies.rules import UNKNOWN
from policies.tagging import taggable_types
from tests.policies.plans import certain, findings, planned, undecided

POLICY = "required-tags"
TOPIC = "aws:sns/topic:Topic"
NAMESPACE = "kubernetes:core/v1:Namespace"
TENANT_STACK = "tenant.prod.acme"
SHARED = component_tags.Ownership("chronos", "prod", "platform")
ACME = component_tags.Ownership("chronos", "prod", "platform", tenant="acme")


def test_what_the_components_write_is_compliant() -> None:
    assert findings(POLICY, planned(TOPIC, tags=component_tags.aws(SHARED, name="alerts"))) == []
    assert findings(POLICY, planned(TOPIC, stack=TENANT_STACK, tags=component_tags.aws(ACME))) == []
    shared, acme = component_tags.kubernetes(SHARED), component_tags.kubernetes(ACME)
    assert findings(POLICY, planned(NAMESPACE, metadata={"labels": shared})) == []
    assert findings(POLICY, planned(NAMESPACE, stack=TENANT_STACK, metadata={"labels": acme})) == []


@pytest.mark.parametrize("tag", ["product", "environment", "cost-centre", "managed-by"])
def test_each_tag_is_required(tag: str) -> None:
    tags: dict[str, Any] = dict(component_tags.aws(SHARED))
    for wrong in (None, "", "  "):
        found = findings(POLICY, planned(TOPIC, tags=tags | {tag: wrong}))
        assert certain(found)
        assert [f"`{tag}`" in finding.reason for finding in found] == [True]
        others = {"product", "environment", "cost-centre", "managed-by"} - {tag}
        assert not any(f"`{other}`" in found[0].reason for other in others)
    assert undecided(findings(POLICY, planned(TOPIC, tags=tags | {tag: UNKNOWN})))


def test_absent_tags_are_a_violation() -> None:
    (found,) = findings(POLICY, planned(TOPIC))
    assert found.certain
    assert found.reason == "lacks `product`, `environment`, `cost-centre`, `managed-by`"
    assert certain(findings(POLICY, planned(NAMESPACE)))
    assert certain(findings(POLICY, planned(NAMESPACE, metadata={})))


def test_unknown_tags_cannot_be_told() -> None:
    assert undecided(findings(POLICY, planned(TOPIC, tags=UNKNOWN)))
    assert undecided(findings(POLICY, planned(NAMESPACE, metadata=UNKNOWN)))
    assert undecided(findings(POLICY, planned(NAMESPACE, metadata={"labels": UNKNOWN})))


def test_the_tenant_is_required_in_its_own_stack_only() -> None:
    without = component_tags.aws(SHARED)
    assert findings(POLICY, planned(TOPIC, tags=without)) == []
    found = findings(POLICY, planned(TOPIC, stack=TENANT_STACK, tags=without))
    assert certain(found)
    assert "tenant" in found[0].reason


def test_default_tags_of_the_provider_count() -> None:
    tags = component_tags.aws(SHARED)
    for default in ({"tags": tags}, json.dumps({"tags": tags})):
        assert findings(POLICY, planned(TOPIC, provider={"defaultTags": default})) == []
    some = {"tags": {"product": "chronos"}}
    (found,) = findings(POLICY, planned(TOPIC, provider={"defaultTags": some}))
    assert found.reason == "lacks `environment`, `cost-centre`, `managed-by`"
    assert undecided(findings(POLICY, planned(TOPIC, provider={"defaultTags": UNKNOWN})))


def test_tags_as_a_list_count() -> None:
    group = "aws:autoscaling/group:Group"
    tags = [{"key": key, "value": value} for key, value in component_tags.aws(SHARED).items()]
    assert findings(POLICY, planned(group, tags=tags)) == []
    assert certain(findings(POLICY, planned(group, tags=tags[1:])))
    assert undecided(findings(POLICY, planned(group, tags=[*tags[1:], UNKNOWN])))


def test_an_autoscaling_group_gets_no_default_tags() -> None:
    default = {"defaultTags": {"tags": component_tags.aws(SHARED)}}
    assert certain(findings(POLICY, planned("aws:autoscaling/group:Group", provider=default)))


def test_a_tag_of_its_own_goes_before_the_default_one() -> None:
    default = {"defaultTags": {"tags": component_tags.aws(SHARED)}}
    (found,) = findings(POLICY, planned(TOPIC, provider=default, tags={"product": ""}))
    assert found.reason == "has no value for `product`" and found.certain
    assert findings(POLICY, planned(TOPIC, provider=default, tags={"product": "chronos", "owner": "x"})) == []
    assert undecided(findings(POLICY, planned(TOPIC, provider=default, tags={"product": UNKNOWN})))


@pytest.mark.parametrize(
    ("stack", "wrong"),
    [
        ("tenant.prod.other", "tenant"),
        ("tenant.dev.acme", "environment"),
        ("tenant.prod-eu1.acme", None),
    ],
)
def test_a_tenants_stack_marks_its_own(stack: str, wrong: str | None) -> None:
    topic = planned(TOPIC, stack=stack, tags=component_tags.aws(ACME))
    namespace = planned(NAMESPACE, stack=stack, metadata={"labels": component_tags.kubernetes(ACME)})
    found = [finding.text() for finding in findings(POLICY, topic, namespace)]
    expected = [
        f"`tags` has not the stack's own `{wrong}`",
        f"`metadata.labels` has not the stack's own `freehold.dev/{wrong}`",
    ]
    assert found == (expected if wrong else [])


@pytest.mark.parametrize(
    ("stack", "own"), [("prod", True), ("prod-eu1", True), ("dev", False), ("staging-prod", False), ("backups", True)]
)
def test_a_platforms_stack_marks_its_own_environment(stack: str, own: bool) -> None:
    """`backups` is called after no environment."""
    topic = planned(TOPIC, stack=stack, tags=component_tags.aws(SHARED))
    namespace = planned(NAMESPACE, stack=stack, metadata={"labels": component_tags.kubernetes(SHARED)})
    found = [finding.text() for finding in findings(POLICY, topic, namespace) if finding.certain]
    assert found == (
        []
        if own
        else [
            "`tags` has not the stack's own `environment`",
            "`metadata.labels` has not the stack's own `freehold.dev/environment`",
        ]
    )


@pytest.mark.parametrize(
    ("stack", "own"),
    [
        ("prod", False),
        ("prod-eu1", True),
        ("tenant.prod-eu1.acme", True),
        ("tenant.prod.acme", False),
        ("backups", True),
    ],
)
def test_a_cell_that_is_told_is_the_stack_s_own(stack: str, own: bool) -> None:
    """What carries another's costs nothing in the budget that goes by it."""
    tenant = "acme" if stack.startswith("tenant.") else None
    owner = component_tags.Ownership("chronos", "prod", "platform", tenant, cell="prod-eu1")
    found = [
        finding.text() for finding in findings(POLICY, planned(TOPIC, stack=stack, tags=component_tags.aws(owner)))
    ]
    assert found == ([] if own else ["`tags` has not the stack's own `cell`"])
    default = {"defaultTags": {"tags": {"cell": "prod-eu1"}}}
    tags = component_tags.aws(ACME if tenant else SHARED)
    by_default = findings(POLICY, planned(TOPIC, stack=stack, provider=default, tags=tags))
    assert bool(certain(by_default)) is not own


def test_types_that_take_no_tags_are_left_alone() -> None:
    assert findings(POLICY, planned("aws:ec2/route:Route")) == []
    assert findings(POLICY, planned("freehold:tenant:TenantWorkspace")) == []


def test_tags_in_what_cloud_control_makes_cannot_be_told() -> None:
    assert undecided(findings(POLICY, planned("aws:cloudcontrol/resource:Resource", typeName="AWS::SQS::Queue")))


def test_other_tags_can_be_required() -> None:
    assert findings(POLICY, planned(TOPIC, tags={"owner": "x"}), settings={"tags": ["owner"]}) == []


def test_the_list_of_taggable_types_is_that_of_the_installed_sdk() -> None:
    listed = {line for line in taggable.listing().splitlines() if not line.startswith("#")}
    assert listed == taggable_types(), "run `python -m policies.taggable`"
    assert {TOPIC, "aws:s3/bucket:Bucket", "aws:rds/instance:Instance"} <= listed
    assert "aws:ec2/route:Route" not in listed
