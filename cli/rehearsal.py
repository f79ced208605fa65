"""The events of a rehearsal: a budget alert that reaches its sinks, and a Stripe event that moves a tenant to a plan.

Each is sent once: its id is the same every time, and the control database knows which have come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from catalog.services import Service
from cli.activity import inbox
from cli.live import Line

if TYPE_CHECKING:
    from cli.following import Follower
    from cli.output import Screen
    from fleet.environments import Environment
    from fleet.operations import Operation
    from stacks.contract import PlatformContract

TENANT, PLAN, TO = "acme", "starter", "pro"
"""Who is moved by the event, from which plan to which."""

_SHOWN_QUOTA = "pods"


@dataclass(frozen=True)
class Rehearsal:
    """What happens in one cell after its platform and tenants are built."""

    environment: Environment
    contract: PlatformContract
    database: sa.Engine
    screen: Screen
    follower: Follower

    def run(self) -> Sequence[Line]:
        """Both events; for each what came of it, with the command that shows the same.

        Raises FreeholdError where one does not arrive, or what it asks for fails.
        """
        lines: list[Line] = []
        if self.contract.alerts.notifier is not None:
            lines.append(self._budget_alert())
        if self.contract.database.control is not None:
            lines.append(self._stripe_event())
        return lines

    def _budget_alert(self) -> Line:
        from cli.alerts import rehearse

        with self.screen.step("budget alert") as step:
            title, *sinks = rehearse(self.environment, self.contract, self.database)
            step.result = title
        told = ", ".join(sink.strip() for sink in sinks)
        return Line("budget alert", f"{title}; {told}", "./freehold sandbox caught")

    def _stripe_event(self) -> Line:
        from fleet.control_database import read_secret
        from fleet.registry import Registry, Status
        from sandbox import stripe_events
        from sandbox.supervisor.client import Supervisor

        control = self.contract.database.control
        assert control is not None
        login = read_secret(control.login(Service.BILLING), self.contract.region, self.environment.engine)
        webhook = Supervisor.connect(self.environment.home).start_webhook(
            control.identifier,
            self.contract.product,
            username=str(login["username"]),
            password=str(login["password"]),
        )
        event = stripe_events.plan_change(TENANT, self.contract.product, PLAN, TO)
        before, shown = self._inbox_state(event["id"]), inbox(self.environment.target)
        if before not in (None, "received"):
            return Line("Stripe event", f"{event['id']} was {before} earlier; nothing is sent again", shown)
        row = Registry(self.database).get(TENANT)
        if row is None or row.status in (Status.DELETING, Status.DELETED):
            return Line("Stripe event", f"not sent: there is no tenant {TENANT}", shown)
        with self.screen.step("Stripe event") as step:
            had = self._quota()
            state = stripe_events.deliver(webhook.url, webhook.secret, event)
            operation = self._operation(event["id"])
            if operation is not None:
                self.follower.follow(operation, step)
            step.result = f"{event['type']} {state}"
        moved = f"{TENANT} from {PLAN} to {TO}, {_SHOWN_QUOTA} {had} -> {self._quota()} in its quota"
        return Line("Stripe event", f"{event['id']} {state}: {moved}", shown, ok=state == "applied")

    def _inbox_state(self, event: str) -> str | None:
        statement = sa.text("SELECT state FROM billing_inbox WHERE id = :id")
        with self.database.connect() as connection:
            state: str | None = connection.scalar(statement, {"id": event})
        return state

    def _operation(self, event: str) -> Operation | None:
        """What the event has asked the runner for; None where the tenant was so already."""
        from fleet.queue_view import QueueView
        from services.billing.settlement import idempotency_key

        return QueueView(self.database).by_key(idempotency_key(event, TENANT))

    def _quota(self) -> str:
        """The tenant's quota of pods, as the cluster has it."""
        from cli.live import tenant_namespaces

        namespaces = tenant_namespaces(self.contract, self.environment.engine).get(TENANT, [])
        return "/".join(one.hard.get(_SHOWN_QUOTA, "?") for one in namespaces) or "none"
