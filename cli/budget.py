"""`freehold budget`: what its budgets are, and a rehearsal of their alerts."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated

import typer

from cli.cell import open_cell
from cli.options import JsonOption, NoColorOption, TargetOption
from cli.output import moment, show_json, show_table
from errors import FreeholdError, UsageError
from fleet.counting import counted

app = typer.Typer(name="budget", no_args_is_help=True, help="Show budgets and their alerts, and rehearse an alert.")

_SHOWN = 20
_PERCENT = re.compile(r"([0-9]{1,5}(?:\.[0-9]{1,2})?)%?")

EnvOption = Annotated[str | None, typer.Option("--env", metavar="ENV", help="Environment. Default: sandbox.")]
TenantOption = Annotated[
    str | None,
    typer.Option("--tenant", metavar="ID", help="The tenant's budget, an estimate by its plan's price."),
]
SpendOption = Annotated[str, typer.Option("--spend", metavar="PERCENT", help="How much of it is spent, such as 96%.")]


@app.command()
def simulate(
    spend: SpendOption,
    tenant: TenantOption = None,
    env: EnvOption = None,
    target: TargetOption = None,
    as_json: JsonOption = False,
    no_color: NoColorOption = False,
) -> None:
    """Publish to the platform's topic what AWS Budgets would at this spend, and wait until it is at the sinks.

    In the cloud real people are told. An alert that arrived in this month is not sent again.
    """
    from cli.alerts import AlertLine, today
    from fleet.wishes import require_id

    percent = _percent(spend)
    if tenant is not None:
        require_id(tenant)
    with open_cell(env, target) as cell:
        line = AlertLine(cell.environment, cell.contract, cell.database)
        budget = line.platform_budget() if tenant is None else line.tenant_budget(tenant)
        messages = budget.crossed(cell.contract.account, percent, today())
        if not messages:
            lowest = f"{float(min(budget.thresholds, default=Decimal(0))):g}%"
            raise UsageError(f"{float(percent):g}% crosses no threshold; the lowest is {lowest}", where="--spend")
        line.start()
        earlier = {one.alert.id for one in line.arrivals(messages)}
        with cell.screen.step(f"{counted(len(messages), 'alert')} of {budget.name}"):
            line.publish(messages)
            found = line.wait(messages)
    if as_json:
        show_json([{**one.as_json(), "new": one.alert.id not in earlier} for one in found])
    else:
        for one in found:
            for text in one.lines():
                typer.echo(text)
            if one.alert.id in earlier:
                typer.echo("  (sent earlier; not again in this period)")
    if not all(one.ok for one in found):
        raise FreeholdError("not every sink took it", where=f"budget {budget.name}", mend="see docs/connect-slack.md")


@app.command()
def show(
    env: EnvOption = None,
    target: TargetOption = None,
    as_json: JsonOption = False,
    no_color: NoColorOption = False,
) -> None:
    """Show the platform's budget, its thresholds and the alerts that arrived last."""
    from cli.alerts import AlertLine

    with open_cell(env, target, read_only=True) as cell:
        line = AlertLine(cell.environment, cell.contract, cell.database)
        budget, found = line.platform_budget(), line.latest(_SHOWN)
    if as_json:
        thresholds = [float(one) for one in budget.thresholds]
        show_json(
            {
                "budget": budget.name,
                "monthly_usd": float(budget.limit),
                "thresholds_percent": thresholds,
                "alerts": [one.as_json() for one in found],
            }
        )
        return
    thresholds_text = ", ".join(f"{float(one):g}%" for one in budget.thresholds)
    typer.echo(f"{budget.name}: ${budget.limit:,.2f} a month; alerts above {thresholds_text}")
    rows = [
        (
            moment(one.alert.received_at),
            one.alert.budget,
            one.alert.period,
            one.alert.threshold,
            one.alert.spent,
            ", ".join(f"{sink.sink} {sink.state}" for sink in one.deliveries),
        )
        for one in found
    ]
    if rows:
        show_table(("arrived", "budget", "period", "threshold", "spent", "sinks"), rows)


def _percent(text: str) -> Decimal:
    match = _PERCENT.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{text!r} is no percentage", where="--spend", mend="such as 96%")
    return Decimal(match[1])
