"""A budget and its alerts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import pulumi

from components.contracts.place import Place
from components.tags import Ownership


@dataclass(frozen=True)
class BudgetAlertsArgs:
    """A monthly budget whose alerts reach people."""

    ownership: Ownership
    place: Place
    budget_name: str
    monthly_usd: int
    emails: tuple[str, ...] = ()
    webhooks: tuple[str, ...] = ()
    """HTTPS endpoints that take SNS' messages and confirm their subscription (paging; no chat does)."""
    by_tag: Literal["cell", "environment"] | None = None
    """Count only what carries the owner's tag of this name: the cell's alone, or that of all cells of the environment.
    Needs the tag to be activated for cost allocation: until it is, the budget counts nothing and never alerts. None
    counts the whole account."""
    thresholds_actual_percent: tuple[int, ...] = (80, 95, 100)
    thresholds_forecast_percent: tuple[int, ...] = (100,)


class BudgetAlerts(Protocol):
    """A budget and the topic that its alerts go to."""

    budget_name: pulumi.Output[str]
    topic: pulumi.Output[str]
