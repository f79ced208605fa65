"""Notifications of AWS Budgets as they arrived in different years and regions, with other names and accounts."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from services.notifier.message import AlertType, Amount, BudgetMessage, TimeUnit

_INTRO = "You can find additional details below and by accessing the AWS Budgets dashboard [1]."

MONTHLY_2019 = f"""AWS Budget Notification October 28, 2019
AWS Account 111122223333

Dear AWS Customer,

You requested that we alert you when the ACTUAL Cost associated with your billingThree budget is greater than $24.00 \
for the current month. The ACTUAL Cost associated with this budget is $36.69. {_INTRO}

Budget Name: billingThree
Budget Type: Cost
Budgeted Amount: $30.00
Alert Type: ACTUAL
Alert Threshold: > $24.00
ACTUAL Amount: $36.69

[1] https://console.aws.amazon.com/billing/home#/budgets
"""

DAILY_2023 = f"""AWS Budget Notification March 04, 2023
AWS Account 111122223333

Dear AWS Customer,

You requested that we alert you when the ACTUAL Cost associated with your killswitch budget is greater than $0.00 \
per day. Yesterday, the ACTUAL Cost associated with this budget is $2.15. {_INTRO}

Budget Name: killswitch
Budget Type: Cost
Budgeted Amount: $70.00
Alert Type: ACTUAL
Alert Threshold: > $0.00
ACTUAL Amount: $2.15

[1] https://console.aws.amazon.com/billing/home#/budgets
"""

FORECAST_2026 = f"""AWS Budget Notification January 28, 2026
AWS Account 111122223333

Dear AWS Customer,

You requested that we alert you when the FORECASTED Cost associated with your test budget is greater than $0.00 \
for the current month. The FORECASTED Cost associated with this budget is $0.95. {_INTRO}

Budget Name: test
Budget Type: Cost
Budgeted Amount: $0.02
Alert Type: FORECASTED
Alert Threshold: > $0.00
FORECASTED Amount: $0.95

[1] https://console.aws.amazon.com/costmanagement/home#/budgets
"""

MESSAGE = BudgetMessage(
    account="123456789012",
    day=date(2026, 11, 20),
    budget="chronos-cloud-prod-monthly",
    budget_type="Cost",
    time_unit=TimeUnit.MONTHLY,
    limit=Amount(Decimal("290.00"), "$"),
    alert_type=AlertType.ACTUAL,
    comparison=">",
    threshold=Amount(Decimal("275.50"), "$"),
    spent=Amount(Decimal("278.40"), "$"),
)

NEXT_MONTH = replace(MESSAGE, day=date(2026, 12, 24))
