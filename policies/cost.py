"""Money: that someone hears of it before it is gone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from policies.rules import UNKNOWN, Finding, Findings, Planned, Settings, Unknown, as_list, as_object

BUDGET: Final = "aws:budgets/budget:Budget"
BILLED: Final = ("aws:", "gcp:")
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
    verdicts = [list(_gaps(budget, settings)) for budget in budgets]
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


def _filters(budget: Planned) -> Findings:
    """A filter leaves spend out. The one by this stack's own environment is what several stacks in an account need, and
    AWS counts nothing by a tag that nobody has activated, which no plan shows:
    https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/activating-tags.html
    """
    filters, expression = as_list(_given(budget, "costFilters")), _given(budget, "filterExpression")
    if isinstance(filters, Unknown) or UNKNOWN in filters or expression is UNKNOWN:
        reason = f"of {budget.name} may leave the stack's spend out"
        yield Finding("filterExpression" if expression is UNKNOWN else "costFilters", reason, False, budget.urn)
    elif expression:
        yield Finding("filterExpression", f"of {budget.name} leaves spend of the stack out", urn=budget.urn)
    elif filters and all(_is_by_environment(each, budget) for each in filters):
        reason = f"of {budget.name} counts nothing unless the tag environment is active in Billing"
        yield Finding("costFilters", reason, certain=False, urn=budget.urn)
    elif filters:
        yield Finding("costFilters", f"of {budget.name} leaves spend of the stack out", urn=budget.urn)


def _is_by_environment(filter: Any, budget: Planned) -> bool:
    parts = as_object(filter)
    if isinstance(parts, Unknown) or parts.get("name") != "TagKeyValue":
        return False
    values = as_list(parts.get("values"))
    return not isinstance(values, Unknown) and list(values) == [f"user:environment${budget.stack.split('-')[0]}"]


def _given(budget: Planned, name: str) -> Any:
    """What the program gives. What it leaves out the provider makes up, and before creation that is unknown as well;
    but it comes from no resource.
    """
    value = budget.properties.get(name)
    return None if value is UNKNOWN and not budget.links.get(name) else value


def _period(budget: Planned) -> Findings:
    """A budget counts until the end of its period, which the provider puts into 2087 where none is given."""
    end = _given(budget, "timePeriodEnd")
    if end is UNKNOWN:
        yield Finding("timePeriodEnd", f"of {budget.name} may be over", certain=False, urn=budget.urn)
    elif end:
        try:
            over = datetime.strptime(str(end), "%Y-%m-%d_%H:%M").replace(tzinfo=UTC) <= datetime.now(UTC)
        except ValueError:
            over = True
        if over:
            yield Finding("timePeriodEnd", f"of {budget.name} is over", urn=budget.urn)


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
    """Bridged providers take text for a number."""
    try:
        return float(value) <= most
    except (TypeError, ValueError):
        return False


def _equals(value: Any, wanted: str) -> bool | Unknown:
    return UNKNOWN if value is UNKNOWN else bool(value == wanted)
