"""What moto's Budgets lacks: changing a budget, its notifications and who is told.

https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_Operations_AWS_Budgets.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

import moto.budgets.urls as urls
from moto.budgets.exceptions import DuplicateRecordException, NotFoundException
from moto.budgets.models import Budget, Notification
from moto.budgets.responses import BudgetsResponse
from moto.core.utils import unix_time


class BudgetsOperations(BudgetsResponse):
    """moto's operations, with those on notifications replaced: moto tells two apart by every detail of theirs."""

    def update_budget(self) -> str:
        changed: dict[str, Any] = self._get_param("NewBudget")
        budget = self._budget(changed["BudgetName"])
        # What the new budget leaves out is gone, as on AWS; the time since when it runs stays unless it is given.
        period = {**budget.budget["TimePeriod"], **changed.get("TimePeriod", {})}
        budget.budget = {**changed, "TimePeriod": period, "LastUpdatedTime": unix_time()}
        return json.dumps({})

    def create_notification(self) -> str:
        budget = self._budget(self._get_param("BudgetName"))
        details = self._get_param("Notification")
        if self._find(budget, details) is not None:
            raise DuplicateRecordException(record_type="notification", record_name=_label(details))
        budget.add_notification(details=details, subscribers=self._get_param("Subscribers"))
        return json.dumps({})

    def update_notification(self) -> str:
        self._notification("OldNotification").details = self._get_param("NewNotification")
        return json.dumps({})

    def delete_notification(self) -> str:
        notification = self._notification()
        self._budget(self._get_param("BudgetName")).notifications.remove(notification)
        return json.dumps({})

    def describe_notifications_for_budget(self) -> str:
        budget = self._budget(self._get_param("BudgetName"))
        defaults = {"ThresholdType": "PERCENTAGE", "NotificationState": "OK"}
        return json.dumps({"Notifications": [{**defaults, **one.details} for one in budget.notifications]})

    def describe_subscribers_for_notification(self) -> str:
        return json.dumps({"Subscribers": _subscribers(self._notification())})

    def create_subscriber(self) -> str:
        notification, subscriber = self._notification(), self._get_param("Subscriber")
        if subscriber in _subscribers(notification):
            raise DuplicateRecordException(record_type="subscriber", record_name=subscriber["Address"])
        self._set_subscribers(notification, [*_subscribers(notification), subscriber])
        return json.dumps({})

    def update_subscriber(self) -> str:
        old, new = self._get_param("OldSubscriber"), self._get_param("NewSubscriber")
        notification = self._notification()
        self._require_subscriber(notification, old)
        self._set_subscribers(notification, [new if one == old else one for one in _subscribers(notification)])
        return json.dumps({})

    def delete_subscriber(self) -> str:
        notification, subscriber = self._notification(), self._get_param("Subscriber")
        self._require_subscriber(notification, subscriber)
        self._set_subscribers(notification, [one for one in _subscribers(notification) if one != subscriber])
        return json.dumps({})

    def _budget(self, name: str) -> Budget:
        budgets: Mapping[str, Budget] = self.backend.budgets[self._get_param("AccountId")]
        if name not in budgets:
            raise NotFoundException(f"Unable to find budget: {name} - the budget doesn't exist.")
        return budgets[name]

    def _notification(self, parameter: str = "Notification") -> Notification:
        details = self._get_param(parameter)
        found = self._find(self._budget(self._get_param("BudgetName")), details)
        if found is None:
            raise NotFoundException(f"Unable to find notification: {_label(details)} - it doesn't exist.")
        return found

    @staticmethod
    def _find(budget: Budget, details: Mapping[str, Any]) -> Notification | None:
        return next((one for one in budget.notifications if _identity(one.details) == _identity(details)), None)

    @staticmethod
    def _set_subscribers(notification: Notification, subscribers: list[dict[str, str]]) -> None:
        vars(notification)["subscribers"] = subscribers

    @staticmethod
    def _require_subscriber(notification: Notification, subscriber: Mapping[str, str]) -> None:
        if subscriber not in _subscribers(notification):
            raise NotFoundException(f"Unable to find subscriber: {subscriber.get('Address')} - it doesn't exist.")


def _identity(details: Mapping[str, Any]) -> tuple[str, str, float, str]:
    """What makes a notification the same one: everything but its state."""
    return (
        details["NotificationType"],
        details["ComparisonOperator"],
        float(details["Threshold"]),
        details.get("ThresholdType", "PERCENTAGE"),
    )


def _subscribers(notification: Notification) -> list[dict[str, str]]:
    # moto keeps the request's list and declares a dictionary.
    return cast("list[dict[str, str]]", notification.subscribers)


def _label(details: Mapping[str, Any]) -> str:
    return f"{details.get('NotificationType')} {details.get('ComparisonOperator')} {details.get('Threshold')}"


def install() -> None:
    """Before the service's first request: moto reads its routes then."""
    urls.url_paths["{0}/$"] = BudgetsOperations.dispatch
