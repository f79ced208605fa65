"""How a budget is lived through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.conformance.aws.ec2_network_examples import TAGS, refused
from tests.conformance.aws.lifecycle import Example, World
from tests.conformance.aws.storage_examples import topic


def _alert(topic_arn: str, threshold: float, kind: str = "ACTUAL") -> dict[str, Any]:
    return {
        "comparisonOperator": "GREATER_THAN",
        "threshold": threshold,
        "thresholdType": "PERCENTAGE",
        "notificationType": kind,
        "subscriberSnsTopicArns": [topic_arn],
        "subscriberEmailAddresses": ["finance@example.test"],
    }


def _inputs(world: World) -> dict[str, Any]:
    alerts = topic(world)
    return {
        "name": "platform",
        "budgetType": "COST",
        "timeUnit": "MONTHLY",
        "limitAmount": "1200",
        "limitUnit": "USD",
        "costFilters": [{"name": "TagKeyValue", "values": ["user:environment$prod"]}],
        "notifications": [_alert(alerts, 80), _alert(alerts, 100), _alert(alerts, 100, "FORECASTED")],
        "tags": TAGS,
    }


def _raised(world: World) -> dict[str, Any]:
    return {"limitAmount": "1500", "notifications": [_alert(topic(world), 95)]}


def _address(id: str) -> dict[str, str]:
    account, _, name = id.partition(":")
    return {"AccountId": account, "BudgetName": name}


def _seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    client = world.client("budgets")
    found = client.describe_budget(**_address(id))["Budget"]
    assert float(found["BudgetLimit"]["Amount"]) == float(state["limitAmount"])
    assert found["CostFilters"] == {"TagKeyValue": ["user:environment$prod"]}
    notifications = client.describe_notifications_for_budget(**_address(id))["Notifications"]
    assert sorted((n["NotificationType"], n["Threshold"]) for n in notifications) == sorted(
        (n["notificationType"], float(n["threshold"])) for n in state["notifications"]
    )
    key = {n: notifications[0][n] for n in ("NotificationType", "ComparisonOperator", "Threshold", "ThresholdType")}
    told = client.describe_subscribers_for_notification(Notification=key, **_address(id))["Subscribers"]
    assert {"SubscriptionType": "EMAIL", "Address": "finance@example.test"} in told


def _gone(world: World, id: str, state: Mapping[str, Any]) -> None:
    refused("NotFound", world.client("budgets").describe_budget, **_address(id))


EXAMPLES = (
    Example(
        "aws:budgets/budget:Budget",
        _inputs,
        change_made=_raised,
        replace={"name": "other", "accountId": "210987654321"},
        seen=_seen,
        gone=_gone,
        # moto keeps no tags of budgets.
        hidden=frozenset({"tags"}),
    ),
)
