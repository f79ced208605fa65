"""The text that AWS Budgets publishes to a topic: prose with a block of fields, no JSON.

AWS shows it nowhere in its reference; the form is that of notifications as they arrived between 2019 and 2026. What
differs between them is the prose, so the fields alone are read, and of the prose only how long the period is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum

_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_HEADING = re.compile(rf"\AAWS Budget Notification ({'|'.join(_MONTHS)}) (\d{{1,2}}), (\d{{4}})\s*$", re.MULTILINE)
_ACCOUNT = re.compile(r"^AWS Account (\d{12})\s*$", re.MULTILINE)
_FIELD = re.compile(r"^(Budget Name|Budget Type|Budgeted Amount|Alert Type|Alert Threshold): ?(.*?)\s*$", re.MULTILINE)
_SPENT = re.compile(r"^(?:ACTUAL|FORECASTED) Amount: ?(.*?)\s*$", re.MULTILINE)
_THRESHOLD = re.compile(r"([<>=]) *(.+)")
_AMOUNT = re.compile(r"(?P<before>[^\d\s.,-]*) *(?P<number>-?[\d,]*\.?\d+) *(?P<after>.*)")
_LIMIT_CHARACTERS = 64 * 1024

CONSOLE = "https://console.aws.amazon.com/costmanagement/home#/budgets"


class NotABudgetMessage(ValueError):
    """The text is none that AWS Budgets writes; says what is missing."""


class AlertType(StrEnum):
    ACTUAL = "ACTUAL"
    """That much was spent."""
    FORECASTED = "FORECASTED"
    """That much will have been spent at the end of the period."""


class TimeUnit(StrEnum):
    """How long a budget runs until it begins anew."""

    DAILY = "DAILY"
    MONTHLY = "MONTHLY"
    QUARTERLY = "QUARTERLY"
    ANNUALLY = "ANNUALLY"


# The words of the prose, most telling first.
_PROSE = (
    ("per day", TimeUnit.DAILY),
    ("for the current month", TimeUnit.MONTHLY),
    ("for the current quarter", TimeUnit.QUARTERLY),
    ("for the current year", TimeUnit.ANNUALLY),
)
_WORDS = {unit: words for words, unit in _PROSE}


@dataclass(frozen=True)
class Amount:
    """`$24.00`, `80%`, `120 GB`: a number with the unit that stands before or behind it."""

    value: Decimal
    before: str = ""
    after: str = ""

    def __str__(self) -> str:
        gap = " " if self.after and self.after != "%" else ""
        return f"{self.before}{self.value:,.2f}{gap}{self.after}"


@dataclass(frozen=True)
class BudgetMessage:
    """One alert, as AWS Budgets tells it."""

    account: str
    day: date
    """When it was sent."""
    budget: str
    budget_type: str
    """Cost, Usage, RI Utilization, ..."""
    time_unit: TimeUnit
    limit: Amount
    alert_type: AlertType
    comparison: str
    """`>`, `<` or `=`."""
    threshold: Amount
    """An amount, also where the budget's threshold is a percentage: Budgets does the sum."""
    spent: Amount
    """Or, for a forecast, what will have been spent."""

    @property
    def period(self) -> str:
        """The budget's period that the alert is about: `2026-11`, `2026-Q4`, `2026`, `2026-11-20`."""
        match self.time_unit:
            case TimeUnit.DAILY:  # is told of on the day after
                return (self.day - timedelta(days=1)).isoformat()
            case TimeUnit.MONTHLY:
                return f"{self.day:%Y-%m}"
            case TimeUnit.QUARTERLY:
                return f"{self.day.year}-Q{(self.day.month + 2) // 3}"
            case TimeUnit.ANNUALLY:
                return str(self.day.year)


def parse(text: str) -> BudgetMessage:
    """The alert that `text` tells. Raises NotABudgetMessage."""
    if len(text) > _LIMIT_CHARACTERS:
        raise NotABudgetMessage(f"it is longer than {_LIMIT_CHARACTERS} characters")
    heading = _HEADING.search(text)
    if heading is None:
        raise NotABudgetMessage("it does not begin with AWS Budget Notification and a date")
    try:
        day = date(int(heading[3]), _MONTHS.index(heading[1]) + 1, int(heading[2]))
    except ValueError:
        raise NotABudgetMessage(f"{heading[1]} {heading[2]}, {heading[3]} is no date") from None
    account, spent = _ACCOUNT.search(text), _SPENT.search(text)
    fields = dict(_FIELD.findall(text))
    for name in ("Budget Name", "Budget Type", "Budgeted Amount", "Alert Type", "Alert Threshold"):
        if not fields.get(name):
            raise NotABudgetMessage(f"it has no {name}")
    if account is None:
        raise NotABudgetMessage("it names no account")
    if spent is None:
        raise NotABudgetMessage("it does not say how much was spent")
    if fields["Alert Type"] not in set(AlertType):
        raise NotABudgetMessage(f"its alert type is {fields['Alert Type']!r}")
    threshold = _THRESHOLD.fullmatch(fields["Alert Threshold"])
    if threshold is None:
        raise NotABudgetMessage(f"its threshold is {fields['Alert Threshold']!r}")
    prose = " ".join(text.partition("Budget Name:")[0].split())
    return BudgetMessage(
        account=account[1],
        day=day,
        budget=fields["Budget Name"],
        budget_type=fields["Budget Type"],
        # Of what is not known, a day: a second alert is the smaller evil.
        time_unit=next((unit for words, unit in _PROSE if words in prose), TimeUnit.DAILY),
        limit=_amount(fields["Budgeted Amount"]),
        alert_type=AlertType(fields["Alert Type"]),
        comparison=threshold[1],
        threshold=_amount(threshold[2]),
        spent=_amount(spent[1]),
    )


def subject(message: BudgetMessage) -> str:
    """What AWS Budgets puts into the notification's Subject."""
    return f"AWS Budgets: {message.budget} has exceeded your alert threshold"


def render(message: BudgetMessage) -> str:
    """The text, as AWS Budgets writes it."""
    kind, compared = message.alert_type.value, {">": "greater than", "<": "less than", "=": "equal to"}
    intro = "Yesterday, the" if message.time_unit is TimeUnit.DAILY else "The"
    asked = (
        f"You requested that we alert you when the {kind} {message.budget_type} associated with your {message.budget} "
        f"budget is {compared[message.comparison]} {message.threshold} {_WORDS[message.time_unit]}. "
        f"{intro} {kind} {message.budget_type} associated with this budget is {message.spent}. "
        "You can find additional details below and by accessing the AWS Budgets dashboard [1]."
    )
    return "\n".join(
        (
            f"AWS Budget Notification {_MONTHS[message.day.month - 1]} {message.day:%d, %Y}",
            f"AWS Account {message.account}",
            "",
            "Dear AWS Customer,",
            "",
            asked,
            "",
            f"Budget Name: {message.budget}",
            f"Budget Type: {message.budget_type}",
            f"Budgeted Amount: {message.limit}",
            f"Alert Type: {kind}",
            f"Alert Threshold: {message.comparison} {message.threshold}",
            f"{kind} Amount: {message.spent}",
            "",
            f"[1] {CONSOLE}",
            "",
        )
    )


def _amount(text: str) -> Amount:
    match = _AMOUNT.fullmatch(text)
    try:
        number = Decimal(match["number"].replace(",", "")) if match else None
    except InvalidOperation:
        number = None
    if match is None or number is None:
        raise NotABudgetMessage(f"{text!r} is no amount")
    return Amount(number, match["before"], match["after"])
