from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from policies.rules import UNKNOWN, Planned
from tests.policies.plans import certain, findings, planned, undecided

POLICY = "every-stack-has-a-budget-with-alerts"
VPC = planned("aws:ec2/vpc:Vpc")


def alert(kind: str = "ACTUAL", threshold: Any = 80, **properties: Any) -> dict[str, Any]:
    return {
        "comparisonOperator": "GREATER_THAN",
        "notificationType": kind,
        "threshold": threshold,
        "thresholdType": "PERCENTAGE",
        "subscriberEmailAddresses": ["finance@example.com"],
    } | properties


FORECAST = alert("FORECASTED", 100)
OWN_TAG = {"name": "TagKeyValue", "values": ["user:environment$prod"]}

OWN = {"tags": {"key": "environment", "values": ["prod"]}}
CREDITS = {"key": "RECORD_TYPE", "values": ["Credit", "Refund"]}


def budget(*notifications: Any, **properties: Any) -> Planned:
    whole = {"budgetType": "COST", "limitAmount": "500", "notifications": list(notifications)} | properties
    return planned("aws:budgets/budget:Budget", "budget", **whole)


def test_compliant() -> None:
    assert findings(POLICY, VPC, budget(alert(), FORECAST)) == []


def test_no_budget_is_a_violation() -> None:
    assert certain(findings(POLICY, VPC))


def test_absent_notifications_are_a_violation() -> None:
    assert len(findings(POLICY, VPC, budget())) == 2
    assert certain(findings(POLICY, VPC, budget(notifications=None)))


@pytest.mark.parametrize("only", [alert(), FORECAST], ids=["actual", "forecast"])
def test_actual_and_forecast_are_both_wanted(only: dict[str, Any]) -> None:
    found = findings(POLICY, VPC, budget(only))
    assert certain(found)
    assert len(found) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"subscriberEmailAddresses": []},
        {"subscriberEmailAddresses": None},
        {"threshold": 101},
        {"threshold": 0},
        {"threshold": "-5"},
        {"threshold": None},
        {"thresholdType": "ABSOLUTE_VALUE"},
        {"comparisonOperator": "LESS_THAN"},
    ],
    ids=str,
)
def test_an_alert_that_reaches_nobody_in_time_does_not_count(change: dict[str, Any]) -> None:
    assert certain(findings(POLICY, VPC, budget(alert(**change), FORECAST)))
    assert findings(POLICY, VPC, budget(alert(**change), alert(), FORECAST)) == []


def test_a_topic_that_is_made_beside_it_is_a_subscriber() -> None:
    topic: dict[str, Any] = {"subscriberEmailAddresses": None, "subscriberSnsTopicArns": [UNKNOWN]}
    assert findings(POLICY, VPC, budget(alert(**topic), alert("FORECASTED", **topic))) == []


@pytest.mark.parametrize("kind", ["USAGE", None])
def test_a_budget_of_something_else_does_not_count(kind: str | None) -> None:
    assert certain(findings(POLICY, VPC, budget(alert(), FORECAST, budgetType=kind)))
    assert findings(POLICY, VPC, budget(alert(), FORECAST, budgetType=kind), budget(alert(), FORECAST)) == []


def test_a_budget_without_a_limit_does_not_count() -> None:
    assert certain(findings(POLICY, VPC, budget(alert(), FORECAST, limitAmount=None)))
    assert findings(POLICY, VPC, budget(alert(), FORECAST, limitAmount=UNKNOWN)) == []


def test_planned_limits_are_limits() -> None:
    planned_limits = [{"amount": "500", "startTime": "2027-01-01_00:00", "unit": "USD"}]
    assert findings(POLICY, VPC, budget(alert(), FORECAST, limitAmount=None, plannedLimits=planned_limits)) == []
    assert certain(findings(POLICY, VPC, budget(alert(), FORECAST, limitAmount=None, plannedLimits=[])))


@pytest.mark.parametrize(
    "filter",
    [
        {"costFilters": [{"name": "Service", "values": ["AWS Glue"]}]},
        {"costFilters": [{"name": "TagKeyValue", "values": ["user:environment$dev"]}]},
        {"costFilters": [{"name": "TagKeyValue", "values": ["user:cell$prod-eu1"]}]},
        {"costFilters": [OWN_TAG, {"name": "Service", "values": ["AWS Glue"]}]},
        {"filterExpression": {"dimensions": {"key": "SERVICE", "values": ["AWS Glue"]}}},
        {"filterExpression": {"tags": {"key": "environment", "values": ["dev"]}}},
        {"filterExpression": {"tags": {"key": "owner", "values": ["prod"]}}},
        {"filterExpression": {"tags": OWN["tags"] | {"matchOptions": ["GREATER_THAN_OR_EQUAL"]}}},
        {"filterExpression": {"ands": [OWN, {"dimensions": {"key": "REGION", "values": ["eu-central-1"]}}]}},
        {"filterExpression": {"ors": [{"dimensions": {"key": "SERVICE", "values": ["AWS Glue"]}}]}},
        {"filterExpression": {"not": OWN}},
        {"filterExpression": {"not": {"dimensions": {"key": "RECORD_TYPE", "values": ["Credit", "Usage"]}}}},
        {"filterExpression": {"not": {"dimensions": {"key": "SERVICE", "values": ["Credit"]}}}},
        {"filterExpression": {"not": {"dimensions": CREDITS | {"matchOptions": ["CONTAINS"]}}}},
        {"filterExpression": {"costCategories": {"key": "environment", "values": ["prod"]}}},
        {"timePeriodEnd": "2020-01-01_00:00"},
        {"timePeriodStart": "2086-01-01_00:00"},
        {"timePeriodStart": "soon"},
        {"timePeriodEnd": "some day"},
    ],
    ids=str,
)
def test_a_budget_that_does_not_see_the_stack_s_spend_does_not_count(filter: dict[str, Any]) -> None:
    assert certain(findings(POLICY, VPC, budget(alert(), FORECAST, **filter)))
    assert findings(POLICY, VPC, budget(alert(), FORECAST, **filter), budget(alert(), FORECAST)) == []


def test_no_filter_and_a_period_to_come_are_compliant() -> None:
    period = {"timePeriodStart": "2026-01-01_00:00", "timePeriodEnd": "2087-06-15_00:00"}
    assert findings(POLICY, VPC, budget(alert(), FORECAST, costFilters=[], **period)) == []


def test_an_expression_that_leaves_out_what_lowers_the_sum_is_compliant() -> None:
    without: dict[str, Any] = {"not": {"dimensions": CREDITS}, "ands": [], "tags": None}
    for expression in ({}, without, {"ands": [without, without]}, {"ors": [without, OWN]}):
        assert findings(POLICY, VPC, budget(alert(), FORECAST, filterExpression=expression)) == []


@pytest.mark.parametrize(
    "expression",
    [
        OWN,
        {"tags": {"key": "cell", "values": ["prod"], "matchOptions": ["EQUALS", "CASE_SENSITIVE"]}},
        {"tags": {"key": "user:environment", "values": ["prod", "staging"]}},
        {"ands": [OWN, {"not": {"dimensions": CREDITS}}]},
        {"ors": [{"dimensions": {"key": "SERVICE", "values": ["AWS Glue"]}}, OWN]},
    ],
    ids=str,
)
def test_whether_an_expression_by_the_stack_s_own_tag_counts_cannot_be_told(expression: dict[str, Any]) -> None:
    (found,) = findings(POLICY, VPC, budget(alert(), FORECAST, filterExpression=expression))
    assert not found.certain and "active" in found.reason


@pytest.mark.parametrize(
    "expression",
    [
        {"tags": UNKNOWN},
        {"tags": {"key": "environment", "values": [UNKNOWN]}},
        {"ands": [OWN, UNKNOWN]},
        {"ors": [{"dimensions": {"key": "SERVICE", "values": ["AWS Glue"]}}, UNKNOWN]},
        {"not": UNKNOWN},
        {"not": {"dimensions": {"key": "RECORD_TYPE", "values": [UNKNOWN]}}},
    ],
    ids=str,
)
def test_an_expression_that_is_partly_unknown_cannot_be_told(expression: dict[str, Any]) -> None:
    (found,) = findings(POLICY, VPC, budget(alert(), FORECAST, filterExpression=expression))
    assert not found.certain and "may leave" in found.reason


@pytest.mark.parametrize("value", ["user:environment$prod", "user:cell$prod"])
def test_whether_the_stack_s_own_tag_counts_cannot_be_told(value: str) -> None:
    own = {"name": "TagKeyValue", "values": [value]}
    (found,) = findings(POLICY, VPC, budget(alert(), FORECAST, costFilters=[own]))
    assert not found.certain and "active" in found.reason


def test_what_a_billing_view_leaves_out_cannot_be_told() -> None:
    view = "arn:aws:billing::123456789012:billingview/"
    assert findings(POLICY, VPC, budget(alert(), FORECAST, billingViewArn=view + "primary")) == []
    assert undecided(findings(POLICY, VPC, budget(alert(), FORECAST, billingViewArn=view + "custom-1")))


@pytest.mark.parametrize(
    "name", ["costFilters", "filterExpression", "timePeriodStart", "timePeriodEnd", "billingViewArn"]
)
def test_a_filter_that_is_unknown_cannot_be_told_where_the_program_gives_one(name: str) -> None:
    made_up = budget(alert(), FORECAST, **{name: UNKNOWN})
    assert findings(POLICY, VPC, made_up) == []
    assert undecided(findings(POLICY, VPC, replace(made_up, links={name: [VPC.urn]})))


def test_unknown_values_cannot_be_told() -> None:
    assert undecided(findings(POLICY, VPC, budget(notifications=UNKNOWN)))
    assert undecided(findings(POLICY, VPC, budget(UNKNOWN, FORECAST)))
    assert undecided(findings(POLICY, VPC, budget(alert(threshold=UNKNOWN), FORECAST)))
    assert undecided(findings(POLICY, VPC, budget(alert(subscriberEmailAddresses=UNKNOWN), FORECAST)))
    assert undecided(findings(POLICY, VPC, budget(alert(), FORECAST, budgetType=UNKNOWN)))


def test_tenant_stacks_and_stacks_that_cost_nothing_are_left_alone() -> None:
    assert findings(POLICY, planned("aws:iam/role:Role", stack="tenant.prod.acme")) == []
    assert findings(POLICY, planned("kubernetes:core/v1:Namespace")) == []
    assert findings(POLICY) == []


def test_a_stack_of_another_provider_of_aws_needs_a_budget_too() -> None:
    assert certain(findings(POLICY, planned("aws-native:rds:DbInstance")))


TOPIC = planned("aws:sns/topic:Topic", "alerts")


def topics(*arns: Any, **properties: Any) -> Planned:
    """A budget that tells topics alone, the one beside it among them."""
    told = {"subscriberEmailAddresses": None, "subscriberSnsTopicArns": list(arns)} | properties
    made = budget(alert(**told), alert("FORECASTED", **told))
    return replace(made, links={"notifications": [TOPIC.urn]})


def test_a_topic_that_nothing_in_the_stack_subscribes_to_tells_nobody_for_all_one_can_tell() -> None:
    assert undecided(findings(POLICY, VPC, TOPIC, topics(UNKNOWN)))
    known = replace(TOPIC, properties={"arn": "arn:alerts"})
    assert undecided(findings(POLICY, VPC, known, topics("arn:alerts")))
    other = planned("aws:sns/topicSubscription:TopicSubscription", topic="arn:other")
    assert undecided(findings(POLICY, VPC, known, topics("arn:alerts"), other))
    own = replace(other, properties={"topic": "arn:alerts"})
    linked = replace(other, properties={"topic": UNKNOWN}, links={"topic": [TOPIC.urn]})
    assert findings(POLICY, VPC, known, topics("arn:alerts"), own) == []
    assert findings(POLICY, VPC, TOPIC, topics(UNKNOWN), linked) == []
    # Somebody is told in another way, or by a topic that another stack makes.
    assert findings(POLICY, VPC, known, topics("arn:alerts", subscriberEmailAddresses=["a@example.com"])) == []
    assert findings(POLICY, VPC, known, topics("arn:alerts", "arn:elsewhere")) == []


def test_the_thresholds_can_be_set() -> None:
    strict = {"actualAtMost": 50}
    assert certain(findings(POLICY, VPC, budget(alert(), FORECAST), settings=strict))
    assert findings(POLICY, VPC, budget(alert(threshold=50), FORECAST), settings=strict) == []
