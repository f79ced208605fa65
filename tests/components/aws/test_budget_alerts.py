"""The budget, and who may publish to the topic of its alerts."""

from __future__ import annotations

from components.aws.budget_alerts import BudgetAlerts
from tests.components import samples
from tests.components.recording import ACCOUNT, declare


def test_thresholds() -> None:
    recording = declare(lambda: BudgetAlerts("budget", samples.budget()))
    budget = recording.inputs("aws:budgets/budget:Budget")
    assert budget["limitAmount"] == "290"
    topic = recording.one("aws:sns/topic:Topic")
    found = {(n["notificationType"], n["threshold"]) for n in budget["notifications"]}
    assert found == {("ACTUAL", 80), ("ACTUAL", 95), ("ACTUAL", 100), ("FORECASTED", 100)}
    assert all(len(n["subscriberSnsTopicArns"]) == 1 for n in budget["notifications"])
    assert topic.plain()["kmsMasterKeyId"]


def test_only_budgets_and_alarms_of_this_account_publish() -> None:
    recording = declare(lambda: BudgetAlerts("budget", samples.budget()))
    publishers = recording.one("aws:sns/topicPolicy:TopicPolicy").document()["Statement"]
    services = ["budgets.amazonaws.com", "cloudwatch.amazonaws.com"]
    assert [one["Principal"] for one in publishers] == [{"Service": service} for service in services]
    for one in publishers:
        assert one["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}
    assert [one["Condition"]["ArnLike"]["aws:SourceArn"] for one in publishers] == [
        f"arn:aws:budgets::{ACCOUNT}:*",
        f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:*",
    ]
    grants = recording.one("aws:kms/key:Key").document()["Statement"][-len(publishers) :]
    assert [(one["Principal"], one["Condition"]) for one in grants] == [
        (one["Principal"], one["Condition"]) for one in publishers
    ]


def test_the_topic_takes_what_budgets_publish_before_there_is_a_budget() -> None:
    """Budgets checks it when a notification is made."""
    recording = declare(lambda: BudgetAlerts("budget", samples.budget()))
    may = recording.one("aws:sns/topicPolicy:TopicPolicy").urn
    assert may in recording.one("aws:budgets/budget:Budget").dependencies


def test_subscribers_keep_their_names_when_others_come_and_go() -> None:
    def names(*emails: str) -> set[str]:
        recording = declare(lambda: BudgetAlerts("budget", samples.budget(emails)))
        return {r.name for r in recording.of("aws:sns/topicSubscription:TopicSubscription")}

    both = names("a@example.com", "b@example.com")
    assert len(both) == 2
    assert names("b@example.com", "a@example.com") == both
    assert names("b@example.com") < both
