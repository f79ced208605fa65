"""What AWS Budgets writes, read and written."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.message import (
    AlertType,
    Amount,
    BudgetMessage,
    NotABudgetMessage,
    TimeUnit,
    parse,
    render,
    subject,
)
from tests.services.notifier.samples import DAILY_2023, FORECAST_2026, MESSAGE, MONTHLY_2019


def test_a_monthly_alert_is_read() -> None:
    assert parse(MONTHLY_2019) == BudgetMessage(
        account="111122223333",
        day=date(2019, 10, 28),
        budget="billingThree",
        budget_type="Cost",
        time_unit=TimeUnit.MONTHLY,
        limit=Amount(Decimal("30.00"), "$"),
        alert_type=AlertType.ACTUAL,
        comparison=">",
        threshold=Amount(Decimal("24.00"), "$"),
        spent=Amount(Decimal("36.69"), "$"),
    )


def test_a_daily_alert_is_about_the_day_before() -> None:
    assert parse(DAILY_2023).period == "2023-03-03"


def test_a_forecast_is_read() -> None:
    message = parse(FORECAST_2026)
    assert (message.alert_type, str(message.spent), message.period) == (AlertType.FORECASTED, "$0.95", "2026-01")


@pytest.mark.parametrize("sample", [DAILY_2023, MONTHLY_2019.replace("/billing/", "/costmanagement/"), FORECAST_2026])
def test_what_is_read_is_written_as_aws_wrote_it(sample: str) -> None:
    assert render(parse(sample)).replace("/billing/", "/costmanagement/") == sample.replace(
        "/billing/", "/costmanagement/"
    )


def test_the_subject() -> None:
    assert subject(MESSAGE) == "AWS Budgets: chronos-cloud-prod-monthly has exceeded your alert threshold"


@pytest.mark.parametrize(
    ("unit", "period"),
    [
        (TimeUnit.DAILY, "2026-11-19"),
        (TimeUnit.MONTHLY, "2026-11"),
        (TimeUnit.QUARTERLY, "2026-Q4"),
        (TimeUnit.ANNUALLY, "2026"),
    ],
)
def test_the_period_of_each_unit_survives(unit: TimeUnit, period: str) -> None:
    assert parse(render(replace(MESSAGE, time_unit=unit))).period == period


@pytest.mark.parametrize(
    ("day", "period"),
    [
        (date(2026, 1, 1), "2026-Q1"),
        (date(2026, 3, 31), "2026-Q1"),
        (date(2026, 4, 1), "2026-Q2"),
        (date(2026, 9, 30), "2026-Q3"),
        (date(2026, 12, 31), "2026-Q4"),
    ],
)
def test_a_quarter_has_three_months(day: date, period: str) -> None:
    assert replace(MESSAGE, time_unit=TimeUnit.QUARTERLY, day=day).period == period


_amounts = st.builds(
    Amount, st.decimals(0, 10**9, places=2), st.sampled_from(["$", "", "€", "US$"]), st.sampled_from(["", "GB", "%"])
)
_names = st.text(st.characters(categories=["L", "N"], include_characters="-_. "), min_size=1, max_size=100).filter(
    lambda name: name == " ".join(name.split())
)


@given(
    budget=_names,
    limit=_amounts,
    threshold=_amounts,
    spent=_amounts,
    day=st.dates(date(2015, 1, 1), date(2100, 1, 1)),
    kind=st.sampled_from(AlertType),
    unit=st.sampled_from([TimeUnit.MONTHLY, TimeUnit.QUARTERLY, TimeUnit.ANNUALLY]),
    comparison=st.sampled_from("<>="),
)
def test_any_alert_comes_through(
    budget: str,
    limit: Amount,
    threshold: Amount,
    spent: Amount,
    day: date,
    kind: AlertType,
    unit: TimeUnit,
    comparison: str,
) -> None:
    message = BudgetMessage("123456789012", day, budget, "Cost", unit, limit, kind, comparison, threshold, spent)
    assert parse(render(message)) == message


def test_a_budget_cannot_smuggle_fields_into_its_alert() -> None:
    """A name is on one line; the first field of a name counts no more than the last."""
    message = replace(MESSAGE, budget="a per day Budget Type: Usage")
    read = parse(render(message))
    assert (read.budget, read.budget_type) == (message.budget, "Cost")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "does not begin"),
        ("hello", "does not begin"),
        ('{"AlarmName": "x"}', "does not begin"),
        (MONTHLY_2019.replace("October 28", "February 30"), "no date"),
        (MONTHLY_2019.replace("October", "Octobre"), "does not begin"),
        (MONTHLY_2019.replace("AWS Account 111122223333", "AWS Account 1"), "names no account"),
        (MONTHLY_2019.replace("Budget Name: billingThree", "Budget Name:"), "no Budget Name"),
        (MONTHLY_2019.replace("Alert Threshold: > $24.00\n", ""), "no Alert Threshold"),
        (MONTHLY_2019.replace("> $24.00\n", "> many\n"), "no amount"),
        (MONTHLY_2019.replace("Alert Threshold: > $24.00", "Alert Threshold: 80%"), "threshold"),
        (MONTHLY_2019.replace("Alert Type: ACTUAL", "Alert Type: GUESSED"), "alert type"),
        (MONTHLY_2019.replace("ACTUAL Amount: $36.69", ""), "how much"),
        (MONTHLY_2019 + " " * 70_000, "longer"),
    ],
)
def test_what_is_no_alert_is_refused_with_the_reason(text: str, what: str) -> None:
    with pytest.raises(NotABudgetMessage, match=what):
        parse(text)


_FIELDS = (
    ("Notification ", "October"), ("October ", "28"), (", ", "2019"), ("AWS Account ", "111122223333"),
    ("Budget Name: ", "billingThree"), ("Budget Type: ", "Cost"), ("Budgeted Amount: ", "$30.00"),
    ("Alert Type: ", "ACTUAL"), ("Alert Threshold: ", "> $24.00"), ("> ", "$24.00"), ("ACTUAL Amount: ", "$36.69"),
)  # fmt: skip
# Characters that Python takes for digits, spaces and ends of lines, and the text's own.
_telling = st.text(st.sampled_from("0123456789²①٣.,-$%<> \t\n\r\u2028\xa0:eE_∞aZ"), max_size=40)


@given(
    text=st.text(max_size=200) | _telling | st.integers(0, 99).map(str),
    field=st.sampled_from(_FIELDS),
    line=st.integers(0, 20),
    end=st.integers(0),
)
def test_no_text_breaks_the_parser(text: str, field: tuple[str, str], line: int, end: int) -> None:
    name, value = field
    assert f"{name}{value}" in MONTHLY_2019
    replaced = MONTHLY_2019.replace(f"{name}{value}", f"{name}{text}")
    lines = MONTHLY_2019.splitlines()
    inserted = "\n".join([*lines[:line], text, *lines[line:]])
    for candidate in (text, replaced, inserted, MONTHLY_2019[: end % len(MONTHLY_2019)]):
        with contextlib.suppress(NotABudgetMessage):
            parse(candidate)
