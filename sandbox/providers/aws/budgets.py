"""AWS Budgets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sandbox.providers.aws.api import ApiError
from sandbox.providers.aws.context import Context
from sandbox.providers.aws.observation import wire_values
from sandbox.providers.aws.requests import parameters
from sandbox.providers.aws.table import AwsType, Call, page
from sandbox.providers.interface import CheckFailure, Properties
from sandbox.providers.typed import Autoname, Kind, one_of

_TIME = "%Y-%m-%d_%H:%M"
_GONE = ("NotFoundException",)
_SIMPLE = {"name": "BudgetName", "budgetType": "BudgetType", "timeUnit": "TimeUnit", "costTypes": "CostTypes"}


def _address(context: Context) -> dict[str, str]:
    account, _, name = context.id.partition(":")
    return {"AccountId": account, "BudgetName": name}


def _definition(context: Context) -> dict[str, Any]:
    """The budget as the API's structure."""
    inputs = context.inputs
    request: dict[str, Any] = {}
    call = Call("create_budget", {wire: f"Budget.{api}" for wire, api in _SIMPLE.items()})
    parameters(context, call, inputs, into=request)
    budget: dict[str, Any] = request["Budget"]
    if inputs.get("limitAmount") is not None:
        budget["BudgetLimit"] = {"Amount": str(inputs["limitAmount"]), "Unit": inputs.get("limitUnit", "USD")}
    if inputs.get("costFilters"):
        budget["CostFilters"] = {item["name"]: list(item["values"]) for item in inputs["costFilters"]}
    period = {
        api: datetime.strptime(inputs[wire], _TIME).replace(tzinfo=UTC)
        for wire, api in (("timePeriodStart", "Start"), ("timePeriodEnd", "End"))
        if inputs.get(wire)
    }
    if period:
        budget["TimePeriod"] = period
    return budget


def _notification(rule: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "NotificationType": rule["notificationType"],
        "ComparisonOperator": rule["comparisonOperator"],
        "Threshold": float(rule["threshold"]),
        "ThresholdType": rule["thresholdType"],
    }


def _subscribers(rule: Mapping[str, Any]) -> list[dict[str, str]]:
    topics = [{"SubscriptionType": "SNS", "Address": arn} for arn in rule.get("subscriberSnsTopicArns") or []]
    people = [{"SubscriptionType": "EMAIL", "Address": mail} for mail in rule.get("subscriberEmailAddresses") or []]
    return topics + people


def _create(context: Context) -> str:
    account = str(context.inputs.get("accountId") or context.api.account)
    rules = context.inputs.get("notifications") or []
    context.call(
        "create_budget",
        AccountId=account,
        Budget=_definition(context),
        NotificationsWithSubscribers=[
            {"Notification": _notification(rule), "Subscribers": _subscribers(rule)} for rule in rules
        ],
    )
    return f"{account}:{context.inputs['name']}"


def _update(context: Context, changed: frozenset[str]) -> None:
    if changed - {"notifications", "tags"}:
        context.call("update_budget", AccountId=_address(context)["AccountId"], NewBudget=_definition(context))
    if "notifications" in changed:
        # As the provider does: the old ones go, the new ones come.
        for found in context.api.all(
            "budgets", "describe_notifications_for_budget", "Notifications", **_address(context)
        ):
            gone = {name: found[name] for name in _notification_names(found)}
            context.call("delete_notification", Notification=gone, **_address(context))
        for rule in context.inputs.get("notifications") or []:
            context.call(
                "create_notification",
                Notification=_notification(rule),
                Subscribers=_subscribers(rule),
                **_address(context),
            )


def _notification_names(found: Mapping[str, Any]) -> list[str]:
    known = ("NotificationType", "ComparisonOperator", "Threshold", "ThresholdType")
    return [name for name in known if name in found]


def _read(context: Context) -> dict[str, Any] | None:
    if ":" not in context.id:
        context.id = f"{context.api.account}:{context.id}"
    try:
        record = context.call("describe_budget", **_address(context))["Budget"]
        notifications = list(_read_notifications(context))
    except ApiError as error:
        if error.code in _GONE:
            return None
        raise
    found = wire_values(context, _SIMPLE, record)
    account, _, name = context.id.partition(":")
    found.update(accountId=account, name=name, notifications=notifications)
    limit = record.get("BudgetLimit")
    if limit:
        amount, wanted = str(limit["Amount"]), context.inputs.get("limitAmount")
        same = wanted is not None and float(amount) == float(wanted)
        found.update(limitAmount=wanted if same else amount, limitUnit=limit["Unit"])
    found["costFilters"] = [
        {"name": key, "values": list(values)} for key, values in sorted((record.get("CostFilters") or {}).items())
    ]
    for wire, api in (("timePeriodStart", "Start"), ("timePeriodEnd", "End")):
        if record.get("TimePeriod", {}).get(api):
            found[wire] = record["TimePeriod"][api].astimezone(UTC).strftime(_TIME)
    found["arn"] = context.fill(f"arn:{{partition}}:budgets::{account}:budget/{name}")
    found["tags"] = found["tagsAll"] = dict((context.inputs or context.outputs).get("tags") or {})
    return found


def _read_notifications(context: Context) -> Iterable[dict[str, Any]]:
    address = _address(context)
    for found in context.api.all("budgets", "describe_notifications_for_budget", "Notifications", **address):
        key = {name: found[name] for name in _notification_names(found)}
        answer = context.call("describe_subscribers_for_notification", Notification=key, **address)
        addresses: dict[str, list[str]] = {"SNS": [], "EMAIL": []}
        for subscriber in answer["Subscribers"]:
            addresses[subscriber["SubscriptionType"]].append(subscriber["Address"])
        threshold = float(found["Threshold"])
        yield {
            "notificationType": found["NotificationType"],
            "comparisonOperator": found["ComparisonOperator"],
            "threshold": int(threshold) if threshold.is_integer() else threshold,
            "thresholdType": found.get("ThresholdType", "PERCENTAGE"),
            **({"subscriberSnsTopicArns": addresses["SNS"]} if addresses["SNS"] else {}),
            **({"subscriberEmailAddresses": addresses["EMAIL"]} if addresses["EMAIL"] else {}),
        }


def _notifications(inputs: Properties) -> Iterable[CheckFailure]:
    rules = inputs.get("notifications")
    for index, rule in enumerate(rules if isinstance(rules, list) else []):
        if not (rule.get("subscriberSnsTopicArns") or rule.get("subscriberEmailAddresses")):
            yield CheckFailure(f"notifications[{index}]", "has no subscriber: an email address or a topic is required")
        for name, values in (
            ("comparisonOperator", ("GREATER_THAN", "LESS_THAN", "EQUAL_TO")),
            ("notificationType", ("ACTUAL", "FORECASTED")),
            ("thresholdType", ("PERCENTAGE", "ABSOLUTE_VALUE")),
        ):
            value = rule.get(name)
            if isinstance(value, str) and value not in values:
                yield CheckFailure(
                    f"notifications[{index}].{name}", f"expected one of {', '.join(values)}; got {value!r}"
                )


def _time_period(inputs: Properties) -> Iterable[CheckFailure]:
    for name in ("timePeriodStart", "timePeriodEnd"):
        value = inputs.get(name)
        if isinstance(value, str):
            try:
                datetime.strptime(value, _TIME)
            except ValueError:
                yield CheckFailure(name, f"expected a time such as 2026-01-01_00:00; got {value!r}")


def _delete(context: Context) -> None:
    context.call("delete_budget", **_address(context))


BUDGET = AwsType(
    token="aws:budgets/budget:Budget",
    kind=Kind.LIVE,
    documentation=page("budgets/budget"),
    note="Nothing is spent in the sandbox; tags are kept in the state alone",
    service="budgets",
    autoname=Autoname("name", 100, "namePrefix"),
    conflicts=(frozenset({"name", "namePrefix"}),),
    replace_on=frozenset({"accountId", "name", "namePrefix"}),
    computed=frozenset({"accountId", "costTypes", "timePeriodStart", "timePeriodEnd", "limitUnit"}),
    sets=frozenset(
        {"costFilters", "notifications", "notifications.subscriberSnsTopicArns"}
        | {"notifications.subscriberEmailAddresses"}
    ),
    rules=(
        one_of("timeUnit", "DAILY", "MONTHLY", "QUARTERLY", "ANNUALLY", "CUSTOM"),
        _notifications,
        _time_period,
    ),
    hooked=frozenset(
        {*_SIMPLE, "accountId", "limitAmount", "limitUnit", "costFilters", "timePeriodStart", "timePeriodEnd"}
        | {"notifications", "tags"}
    ),
    create=Call("create_budget", {wire: f"Budget.{api}" for wire, api in _SIMPLE.items()}),
    create_hook=_create,
    read_hook=_read,
    after_update=_update,
    delete_hook=_delete,
    missing=_GONE,
    operations=(
        "create_budget", "update_budget", "describe_budget", "delete_budget", "describe_notifications_for_budget",
        "describe_subscribers_for_notification", "create_notification", "delete_notification",
    ),
)  # fmt: skip


TYPES = (BUDGET,)
