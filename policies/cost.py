"""Money: that someone hears of it before it is gone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from policies import spend
from policies.rules import UNKNOWN, Finding, Findings, Planned, Settings, Unknown, as_list, as_object, joined
from policies.spend import Seen

BUDGET: Final = "aws:budgets/budget:Budget"
TOPIC: Final = "aws:sns/topic:Topic"
SUBSCRIPTION: Final = "aws:sns/topicSubscription:TopicSubscription"
BILLED: Final = ("aws:", "aws-native:", "gcp:")
_LIMITS: Final = ("limitAmount", "plannedLimits", "autoAdjustData")


def every_stack_has_a_budget_with_alerts(resources: Sequence[Planned], settings: Settings) -> Findings:
    """A platform stack has a cost budget whose alerts on actual and on forecast spend have someone to tell.

    A tenant's stack is left out: its budget is an estimate within the platform's. So is a stack that makes nothing a
    cloud would bill for.
    """
    billed = [resource for resource in resources if resource.type.startswith(BILLED)]
    if not billed or billed[0].in_tenant_stack:
        return
    budgets = [resource for resource in resources if resource.type == BUDGET]
    if not budgets:
        yield Finding("", "the stack has no budget")
        return
    verdicts = [[*_gaps(budget, settings), *_unheard(budget, resources)] for budget in budgets]
    if all(verdicts):
        # The budget that is nearest to being good enough tells best what to mend.
        yield from min(verdicts, key=lambda findings: (any(finding.certain for finding in findings), len(findings)))


def _gaps(budget: Planned, settings: Settings) -> Findings:
    kind = budget.properties.get("budgetType")
    if kind is UNKNOWN or kind != "COST":
        yield Finding("budgetType", f"of {budget.name} is not COST", certain=kind is not UNKNOWN, urn=budget.urn)
    if all(budget.properties.get(limit) in (None, [], {}) for limit in _LIMITS):
        yield Finding("limitAmount", f"of {budget.name} is absent", urn=budget.urn)
    yield from _filters(budget)
    yield from _period(budget)
    notifications = as_list(budget.properties.get("notifications"))
    if isinstance(notifications, Unknown):
        yield Finding("notifications", f"of {budget.name} are computed", certain=False, urn=budget.urn)
        return
    for kind, most in (("ACTUAL", settings["actualAtMost"]), ("FORECASTED", settings["forecastAtMost"])):
        verdicts = [_alerts(notification, kind, most) for notification in notifications]
        if True not in verdicts:
            yield Finding(
                "notifications",
                f"of {budget.name} tell nobody of {kind.lower()} spend at {most}% of the limit or less",
                certain=UNKNOWN not in verdicts,
                urn=budget.urn,
            )


def _unheard(budget: Planned, resources: Sequence[Planned]) -> Findings:
    """All its alerts go to topics of this stack, and nothing in it subscribes to one of them."""
    notifications = as_list(budget.properties.get("notifications"))
    alerts = [] if isinstance(notifications, Unknown) else [as_object(each) for each in notifications]
    if any(isinstance(alert, Unknown) or alert.get("subscriberEmailAddresses") for alert in alerts):
        return
    lists = [as_list(alert.get("subscriberSnsTopicArns")) for alert in alerts if not isinstance(alert, Unknown)]
    arns = [arn for each in lists if not isinstance(each, Unknown) for arn in each]
    link = budget.links.get("notifications", ())
    topics = [topic for topic in resources if topic.type == TOPIC]
    named = [[topic for topic in topics if joined(arn, link, topic, topic.properties.get("arn"))] for arn in arns]
    subscriptions = [resource for resource in resources if resource.type == SUBSCRIPTION]
    heard = [
        topic
        for topic in topics
        for each in subscriptions
        if joined(each.properties.get("topic"), each.links.get("topic", ()), topic, topic.properties.get("arn"))
    ]
    if named and all(named) and not any(topic in heard for each in named for topic in each):
        reason = f"of {budget.name} go to a topic that nothing in this stack subscribes to"
        yield Finding("notifications", reason, certain=False, urn=budget.urn)


def _filters(budget: Planned) -> Findings:
    """A filter leaves spend out, and so may a billing view. The filter by this stack's own environment or cell is what
    several stacks in an account need, and AWS counts nothing by a tag that nobody has activated, which no plan shows:
    https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/activating-tags.html
    """
    for path, value, seen in (
        ("costFilters", _given(budget, "costFilters"), spend.by_filters),
        ("filterExpression", _given(budget, "filterExpression"), spend.by_expression),
    ):
        what = seen(value, budget)
        if what is Seen.BY_OWN_TAG:
            reason = f"of {budget.name} counts nothing unless its tag is active in Billing"
            yield Finding(path, reason, certain=False, urn=budget.urn)
        elif what is Seen.CANNOT_TELL:
            yield Finding(path, f"of {budget.name} may leave the stack's spend out", certain=False, urn=budget.urn)
        elif what is Seen.LESS:
            yield Finding(path, f"of {budget.name} leaves spend of the stack out", urn=budget.urn)
    view = _given(budget, "billingViewArn")
    # The account's own view is what the provider tells where none is given.
    if view is UNKNOWN or (view and not str(view).endswith("/primary")):
        yield Finding("billingViewArn", f"of {budget.name} may leave the stack's spend out", False, budget.urn)


def _given(budget: Planned, name: str) -> Any:
    """What the program gives. What it leaves out the provider makes up, and before creation that is unknown as well;
    but it comes from no resource.
    """
    value = budget.properties.get(name)
    return None if value is UNKNOWN and not budget.links.get(name) else value


def _period(budget: Planned) -> Findings:
    """A budget counts from the start to the end of its period. Where none is given that is from the start of the month,
    or whatever its unit of time is, and into 2087, where the provider puts the end."""
    # Clocks, and the zones that a start is told in, differ by less than a day.
    now, soon = datetime.now(UTC), datetime.now(UTC) + timedelta(days=1)
    for name in ("timePeriodStart", "timePeriodEnd"):
        given = _given(budget, name)
        if given is UNKNOWN:
            yield Finding(name, f"of {budget.name} may lie elsewhere than now", certain=False, urn=budget.urn)
        elif given:
            moment = _moment(given)
            if moment is None:
                yield Finding(name, f"of {budget.name} is no time", urn=budget.urn)
            elif name == "timePeriodStart" and moment > soon:
                yield Finding(name, f"of {budget.name} is still to come", urn=budget.urn)
            elif name == "timePeriodEnd" and moment <= now:
                yield Finding(name, f"of {budget.name} is over", urn=budget.urn)


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.strptime(str(text), "%Y-%m-%d_%H:%M").replace(tzinfo=UTC)
    except ValueError:
        return None


def _alerts(notification: Any, kind: str, most: float) -> bool | Unknown:
    """Whether a notification of this kind comes in time (a percentage of the limit) and reaches someone."""
    notification = as_object(notification)
    if isinstance(notification, Unknown):
        return notification
    threshold = notification.get("threshold")
    people = [notification.get("subscriberEmailAddresses"), notification.get("subscriberSnsTopicArns")]
    # An entry of the list that is unknown yet, such as the topic's ARN, is a subscriber all the same.
    reaches: bool | Unknown = any(each is not UNKNOWN and bool(each) for each in people) or (
        UNKNOWN if UNKNOWN in people else False
    )
    facts: list[bool | Unknown] = [
        reaches,
        _equals(notification.get("notificationType"), kind),
        _equals(notification.get("thresholdType"), "PERCENTAGE"),
        _equals(notification.get("comparisonOperator"), "GREATER_THAN"),
        UNKNOWN if threshold is UNKNOWN else _at_most(threshold, most),
    ]
    if False in facts:
        return False
    return UNKNOWN if UNKNOWN in facts else True


def _at_most(value: Any, most: float) -> bool:
    """Bridged providers take text for a number. At nothing, or less, an alert tells of no spend."""
    try:
        return 0 < float(value) <= most
    except (TypeError, ValueError):
        return False


def _equals(value: Any, wanted: str) -> bool | Unknown:
    return UNKNOWN if value is UNKNOWN else bool(value == wanted)
