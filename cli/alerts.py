"""Alerts of a budget, sent through the whole line: published as AWS Budgets publishes, awaited at the sinks."""

from __future__ import annotations

import base64
import json
import secrets
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from catalog.services import Service
from errors import FreeholdError, UsageError
from fleet.targets import Target

if TYPE_CHECKING:
    import sqlalchemy as sa

    from fleet.environments import Environment
    from services.notifier.alerts import Alert, Delivery
    from services.notifier.message import BudgetMessage
    from stacks.contract import NotifierContract, PlatformContract

_ARRIVAL_SECONDS = 90.0
_POLL_SECONDS = 0.1
_TENANT_THRESHOLDS = (Decimal(80), Decimal(95), Decimal(100))
"""Per cent, as of the platform's own budget."""


@dataclass(frozen=True)
class Budget:
    """A monthly budget, as its alerts tell it."""

    name: str
    limit: Decimal
    """USD a month."""
    thresholds: tuple[Decimal, ...]
    """Per cent of the limit, for what was spent, in rising order."""

    def crossed(self, account: str, spend_percent: Decimal, day: date) -> Sequence[BudgetMessage]:
        """What AWS Budgets writes when that much is spent: one message for each threshold that is exceeded."""
        from services.notifier.message import AlertType, Amount, BudgetMessage, TimeUnit

        def share(percent: Decimal) -> Amount:
            return Amount((self.limit * percent / 100).quantize(Decimal("0.01")), "$")

        return [
            BudgetMessage(
                account=account,
                day=day,
                budget=self.name,
                budget_type="Cost",
                time_unit=TimeUnit.MONTHLY,
                limit=Amount(self.limit, "$"),
                alert_type=AlertType.ACTUAL,
                comparison=">",
                threshold=share(threshold),
                spent=share(spend_percent),
            )
            for threshold in self.thresholds
            if spend_percent > threshold
        ]


@dataclass(frozen=True)
class Arrival:
    """An alert, and how far its sinks are with it."""

    alert: Alert
    deliveries: Sequence[Delivery]

    @property
    def settled(self) -> bool:
        return all(one.settled_at is not None for one in self.deliveries)

    @property
    def ok(self) -> bool:
        return bool(self.deliveries) and all(one.state == "sent" for one in self.deliveries)

    def lines(self) -> Sequence[str]:
        """For people: the alert, then each sink."""
        told = [f"{one.sink}: {one.state}{f' ({one.last_error})' if one.last_error else ''}" for one in self.deliveries]
        return [self.alert.title, *(f"  {line}" for line in told)]

    def as_json(self) -> Mapping[str, Any]:
        return {
            **self.alert.model_dump(mode="json"),
            "deliveries": [one.model_dump(mode="json") for one in self.deliveries],
        }


class AlertLine:
    """The way of alerts in one cell: its topic, its notifier, its control database."""

    def __init__(self, environment: Environment, contract: PlatformContract, engine: sa.Engine) -> None:
        self._environment, self._contract, self._engine = environment, contract, engine

    def platform_budget(self) -> Budget:
        """The cell's budget, as the cloud has it."""
        budgets = self._client("budgets")
        address = {"AccountId": self._contract.account, "BudgetName": self._contract.budget.name}
        limit = Decimal(str(budgets.describe_budget(**address)["Budget"]["BudgetLimit"]["Amount"]))
        found = budgets.describe_notifications_for_budget(**address)["Notifications"]
        thresholds = {
            Decimal(str(one["Threshold"]))
            for one in found
            if one["NotificationType"] == "ACTUAL" and one.get("ThresholdType", "PERCENTAGE") == "PERCENTAGE"
        }
        return Budget(self._contract.budget.name, limit, tuple(sorted(thresholds)))

    def tenant_budget(self, tenant: str) -> Budget:
        """An estimate: what the tenant pays a month. A cloud's budget cannot see a tenant of shared services.

        Raises UsageError where there is no such tenant, or where it pays nothing.
        """
        from catalog import blueprints
        from fleet.registry import Registry

        found = Registry(self._engine).get(tenant)
        if found is None or found.cell != self._contract.cell:
            mend = f"./freehold tenant list{self._environment.options}"
            raise UsageError("this cell has no such tenant", where=f"tenant {tenant}", mend=mend)
        plan = blueprints.load(self._contract.product).plan(found.plan)
        if plan.price.monthly == 0:
            mend = "choose a tenant of a plan that has a price"
            raise UsageError(f"its plan {plan.name} costs nothing", where=f"tenant {tenant}", mend=mend)
        name = f"{self._contract.product}-{self._contract.cell}-t-{tenant}"
        return Budget(name, plan.price.monthly, _TENANT_THRESHOLDS)

    def start(self) -> None:
        """In a rehearsal: have the notifier run, and sinks to send to. Raises FreeholdError where the cell has none."""
        notifier = self._notifier()
        if self._environment.target is not Target.SANDBOX:
            return
        from sandbox.supervisor.client import Supervisor

        self._fill_sinks(notifier)
        control = self._contract.database.control
        assert control is not None  # the platform's settings see to it
        variables = {
            "NOTIFIER_QUEUE_URL": notifier.queue_url,
            "NOTIFIER_DEAD_LETTER_QUEUE_URL": notifier.dead_letter_queue_url,
            "NOTIFIER_TOPIC_ARN": self._contract.alerts.topic_arn,
            "NOTIFIER_DATABASE_SECRET": control.login(Service.NOTIFIER),
            "NOTIFIER_SINKS_SECRET": notifier.sinks_secret,
            # A rehearsal sees a sink recover while somebody looks.
            "NOTIFIER_BACKOFF_SECONDS": "1",
            **{name: value for name, value in self._environment.engine.items() if name.startswith("AWS_")},
        }
        Supervisor.connect(self._environment.home).start_notifier(variables)

    def publish(self, messages: Sequence[BudgetMessage]) -> None:
        """To the topic, in AWS Budgets' words and place."""
        from services.notifier.message import render, subject

        topic = self._client("sns")
        for message in messages:
            topic.publish(
                TopicArn=self._contract.alerts.topic_arn, Subject=subject(message)[:100], Message=render(message)
            )

    def arrivals(self, messages: Sequence[BudgetMessage]) -> Sequence[Arrival]:
        """Those of them that the notifier has recorded, oldest first."""
        from services.notifier.alerts import alert_id, get

        return self._arrivals(lambda connection: get(connection, [alert_id(message) for message in messages]))

    def latest(self, limit: int) -> Sequence[Arrival]:
        """The alerts that came last, newest first."""
        from services.notifier.alerts import latest

        return self._arrivals(lambda connection: latest(connection, limit))

    def wait(self, messages: Sequence[BudgetMessage]) -> Sequence[Arrival]:
        """Until every sink has settled all of them. Raises FreeholdError where that does not come about in time."""
        deadline = time.monotonic() + _ARRIVAL_SECONDS
        while True:
            found = self.arrivals(messages)
            if len(found) == len(messages) and all(one.settled for one in found):
                return found
            if time.monotonic() > deadline:
                settled = sum(one.settled for one in found)
                what = f"{settled} of {len(messages)} alerts have reached their sinks after {_ARRIVAL_SECONDS:.0f} s"
                mend = (
                    f"./freehold budget show{self._environment.options} tells how far each is; see the notifier's log"
                )
                raise FreeholdError(what, where=f"environment {self._environment.cell}", mend=mend)
            time.sleep(_POLL_SECONDS)

    def _arrivals(self, find: Callable[[sa.Connection], Sequence[Alert]]) -> Sequence[Arrival]:
        from services.notifier.alerts import deliveries

        with self._engine.connect() as connection:
            alerts = find(connection)
            of: dict[uuid.UUID, list[Delivery]] = {alert.id: [] for alert in alerts}
            for one in deliveries(connection, of.keys()):
                of[one.alert].append(one)
        return [Arrival(alert, of[alert.id]) for alert in alerts]

    def _notifier(self) -> NotifierContract:
        notifier = self._contract.alerts.notifier
        if notifier is None:
            mend = f"set freehold:notifier to {{enabled: true}} in Pulumi.{self._environment.cell}.yaml, then up"
            raise FreeholdError("it has no notifier", where=f"environment {self._environment.cell}", mend=mend)
        return notifier

    def _fill_sinks(self, notifier: NotifierContract) -> None:
        """The catcher's addresses, unless somebody has put others there."""
        from sandbox.processes.catcher.spec import sinks
        from sandbox.processes.site import Site
        from sandbox.supervisor.ports import Ports

        manager = self._client("secretsmanager")
        try:
            manager.get_secret_value(SecretId=notifier.sinks_secret)
        except manager.exceptions.ResourceNotFoundException:
            home = self._environment.home
            signing = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
            record = sinks(Site(home, Ports(home.data / "ports.json", {})), signing)
            manager.put_secret_value(SecretId=notifier.sinks_secret, SecretString=json.dumps(record))

    def _client(self, service: str) -> Any:
        from fleet.cloud import client

        return client(service, self._contract.region, self._environment.engine)


def today() -> date:
    return datetime.now(UTC).date()


def rehearse(environment: Environment, contract: PlatformContract, engine: sa.Engine) -> Sequence[str]:
    """One alert, of the platform's first threshold in this month, through the whole line; lines to show.

    It is the same one all month: where it arrived already nothing is sent. Raises FreeholdError where it never arrives.
    """
    line = AlertLine(environment, contract, engine)
    line.start()
    budget = line.platform_budget()
    (message, *_) = budget.crossed(contract.account, budget.thresholds[0] + 1, today())
    found = [one for one in line.arrivals([message]) if one.settled]
    if found:
        return [*found[0].lines(), "  (sent earlier; nothing is sent again this month)"]
    line.publish([message])
    (arrival,) = line.wait([message])
    return arrival.lines()
