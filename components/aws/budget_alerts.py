"""A monthly budget on AWS, and how its alerts reach people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi_aws import budgets, sns

from components import tags
from components.aws.arn import arn
from components.aws.key import Key, KeyArgs
from components.aws.policy_document import policy_document
from components.contracts.budget_alerts import BudgetAlertsArgs
from components.contracts.place import Place
from components.naming import key as key_of
from components.naming import physical_name


class BudgetAlerts(pulumi.ComponentResource):
    """A cost budget with a notification at each threshold, an encrypted topic they go to, and its subscribers.

    A subscriber's resource is named by a hash of its address, so that adding or removing one leaves the others alone.
    An e-mail subscriber gets a message with a link to confirm; until then nothing is sent to it.
    """

    budget_name: pulumi.Output[str]
    topic: pulumi.Output[str]

    def __init__(self, name: str, args: BudgetAlertsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:aws:BudgetAlerts", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        # https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-sns-policy.html: the topic's policy and,
        # for an encrypted topic, the key's; only for budgets of this account (confused deputy).
        only_here = _only_budgets_of(args.place)
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html: alarms on what
        # handles the alerts go to the same people.
        only_alarms = _only_alarms_of(args.place)
        key = Key(
            f"{name}-encryption",
            KeyArgs(
                ownership=args.ownership,
                place=args.place,
                purpose=f"Alerts of the budget {args.budget_name}",
                alias=physical_name(args.budget_name, "alerts", limit=64),
                services=("sns",),
                grants=[
                    {
                        "Sid": "BudgetsEncrypt",
                        "Effect": "Allow",
                        "Principal": {"Service": "budgets.amazonaws.com"},
                        "Action": ["kms:GenerateDataKey*", "kms:Decrypt"],
                        "Resource": "*",
                        "Condition": only_here,
                    },
                    {
                        "Sid": "AlarmsEncrypt",
                        "Effect": "Allow",
                        "Principal": {"Service": "cloudwatch.amazonaws.com"},
                        "Action": ["kms:GenerateDataKey*", "kms:Decrypt"],
                        "Resource": "*",
                        "Condition": only_alarms,
                    },
                ],
            ),
            child,
        )
        topic = sns.Topic(
            f"{name}-topic",
            name=physical_name(args.budget_name, "alerts", limit=256),
            display_name="Budget alerts",
            kms_master_key_id=key.arn,
            tags=tags.aws(args.ownership, name=args.budget_name),
            opts=child,
        )
        may_publish = sns.TopicPolicy(
            f"{name}-may-publish",
            arn=topic.arn,
            policy=policy_document(
                {
                    "Sid": "BudgetsPublish",
                    "Effect": "Allow",
                    "Principal": {"Service": "budgets.amazonaws.com"},
                    "Action": "sns:Publish",
                    "Resource": topic.arn,
                    "Condition": only_here,
                },
                {
                    "Sid": "AlarmsPublish",
                    "Effect": "Allow",
                    "Principal": {"Service": "cloudwatch.amazonaws.com"},
                    "Action": "sns:Publish",
                    "Resource": topic.arn,
                    "Condition": only_alarms,
                },
            ),
            opts=child,
        )
        for protocol, addresses in (("email", args.emails), ("https", args.webhooks)):
            for address in addresses:
                sns.TopicSubscription(
                    f"{name}-{protocol}-{key_of(address)}",
                    topic=topic.arn,
                    protocol=protocol,
                    endpoint=address,
                    opts=child,
                )
        notifications = [
            _notification(kind, threshold, topic.arn)
            for kind, thresholds in (
                ("ACTUAL", args.thresholds_actual_percent),
                ("FORECASTED", args.thresholds_forecast_percent),
            )
            for threshold in thresholds
        ]
        scope: list[budgets.BudgetCostFilterArgsDict] = []
        if args.by_tag:
            # https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-create-filters.html
            marked = tags.aws(args.ownership)[args.by_tag]
            scope = [{"name": "TagKeyValue", "values": [f"user:{args.by_tag}${marked}"]}]
        budget = budgets.Budget(
            f"{name}-budget",
            account_id=args.place.account,
            name=args.budget_name,
            budget_type="COST",
            time_unit="MONTHLY",
            limit_amount=str(args.monthly_usd),
            limit_unit="USD",
            cost_filters=scope,
            notifications=notifications,
            tags=tags.aws(args.ownership, name=args.budget_name),
            # Budgets checks that it may publish when a notification is made.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[may_publish]),
        )
        self.budget_name = budget.name
        self.topic = topic.arn
        self.register_outputs({"budget_name": self.budget_name, "topic": self.topic})


def _only_budgets_of(place: Place) -> Mapping[str, Any]:
    return {
        "StringEquals": {"aws:SourceAccount": place.account},
        "ArnLike": {"aws:SourceArn": arn(place, "budgets", "*", regional=False)},
    }


def _only_alarms_of(place: Place) -> Mapping[str, Any]:
    return {
        "StringEquals": {"aws:SourceAccount": place.account},
        "ArnLike": {"aws:SourceArn": arn(place, "cloudwatch", "alarm:*")},
    }


def _notification(kind: str, threshold: int, topic: pulumi.Output[str]) -> budgets.BudgetNotificationArgsDict:
    return {
        "notification_type": kind,
        "comparison_operator": "GREATER_THAN",
        "threshold": threshold,
        "threshold_type": "PERCENTAGE",
        "subscriber_sns_topic_arns": [topic],
    }
