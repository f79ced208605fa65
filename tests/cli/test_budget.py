"""`freehold budget`: which alerts a spend causes, and what is refused."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from typer.testing import CliRunner

from cli.alerts import Budget
from cli.app import app
from errors import UsageError
from services.notifier.message import parse, render

BUDGET = Budget("monthly", Decimal(290), (Decimal(80), Decimal(95), Decimal(100)))
DAY = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("spend", "thresholds"),
    [
        ("80", []),
        ("80.01", ["$232.00"]),
        ("96", ["$232.00", "$275.50"]),
        ("250", ["$232.00", "$275.50", "$290.00"]),
    ],
)
def test_each_threshold_that_is_exceeded_is_an_alert(spend: str, thresholds: list[str]) -> None:
    found = BUDGET.crossed("123456789012", Decimal(spend), DAY)
    assert [str(message.threshold) for message in found] == thresholds
    assert all(parse(render(message)).period == "2026-11" for message in found)


@pytest.mark.parametrize("spend", ["", "much", "-1%", "1e9", "96%%", "123456%"])
def test_what_is_no_percentage_is_refused(spend: str) -> None:
    result = CliRunner().invoke(app, ["budget", "simulate", f"--spend={spend}"])
    assert isinstance(result.exception, UsageError)
    assert "--spend" in str(result.exception)


def test_a_tenant_that_can_be_none_is_refused_in_one_line() -> None:
    result = CliRunner().invoke(app, ["budget", "simulate", "--spend=96%", "--tenant", "a\nb"])
    assert isinstance(result.exception, UsageError)
    assert result.exception.line().startswith(r"tenant id 'a\nb' is not a DNS label")
