"""What a tenant shall be, from what a person asks: checked, and with what follows from the plan and the cell."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydantic import ValidationError

from catalog import blueprints, limits
from catalog.identifiers import check_tenant_id
from catalog.plans import Plan, Tier
from errors import UsageError
from fleet.free_text import require_line
from fleet.registry import Tenant, Wanted
from stacks.settings.tenant import TenantRecord


@dataclass(frozen=True)
class Request:
    """What a person asks of a new tenant; what is left out follows from the id and the cell."""

    id: str
    plan: str
    name: str | None = None
    subdomain: str | None = None
    email: str | None = None
    region: str | None = None

    def require_lines(self) -> None:
        """Raises UsageError where one of its texts would break what shows it."""
        given = {"plan": self.plan, "name": self.name, "subdomain": self.subdomain}
        for option, text in {**given, "email": self.email, "region": self.region}.items():
            if text is not None:
                require_line(text, f"--{option}")


def require_id(text: str) -> str:
    """`text` itself. Raises UsageError where it is no tenant id."""
    try:
        return check_tenant_id(text)
    except ValueError as error:
        raise UsageError(str(error), mend="choose an id such as acme or acme-eu") from None


def require_plan(product: str, name: str) -> Plan:
    """The plan of that name, of a tier that has stacks. Raises UsageError."""
    try:
        plan = blueprints.load(product).plan(name)
    except KeyError as error:
        raise UsageError(str(error.args[0])) from None
    if plan.tier is not Tier.BRIDGE:
        raise UsageError(
            f"plan {name} is of the {plan.tier} tier, whose tenants have no stack of this kind",
            where=f"product {product}",
            mend=f"choose one of {', '.join(p.name for p in blueprints.load(product).plans if p.tier is Tier.BRIDGE)}",
        )
    return plan


@dataclass(frozen=True)
class Wishes:
    """Makes the wishes of one cell's tenants."""

    cell: str
    product: str
    region: str
    tenants_maximum: int = limits.tenants_maximum()
    """How many tenants of the bridge tier the cell can hold."""
    options: str = ""
    """What a command takes to reach the cell, with a space before: told where one is the mend."""

    def wanted(self, request: Request) -> Wanted:
        """What a new tenant shall be. Raises UsageError for a bad value."""
        require_id(request.id)
        request.require_lines()
        plan = require_plan(self.product, request.plan)
        if request.region not in (None, self.region):
            mend = "leave --region out, or choose a cell there with --cell"
            raise UsageError(f"cell {self.cell} is in {self.region}", where="--region", mend=mend)
        self._validate(request)
        return self._wanted(request, plan)

    def with_plan(self, tenant: Tenant, name: str) -> Wanted:
        """What it shall be on another plan, suspended as before. Raises UsageError where there is no such plan."""
        plan = require_plan(self.product, name)
        request = Request(tenant.id, name, tenant.name, tenant.subdomain, tenant.admin_email, None)
        return self._wanted(request, plan).model_copy(update={"suspended_for": tenant.suspended_for})

    def _wanted(self, request: Request, plan: Plan) -> Wanted:
        return Wanted(
            id=request.id,
            product=self.product,
            name=request.name or request.id,
            subdomain=request.subdomain or request.id,
            admin_email=request.email,
            plan=plan.name,
            tier=plan.tier,
            cell=self.cell,
            region=self.region,
            limits=plan.quota.model_dump(mode="json"),
        )

    def _validate(self, request: Request) -> None:
        """By the model that the tenant program reads its record with, so that nothing is refused only later."""
        given = {"subdomain": request.subdomain, "email": request.email, "name": request.name}
        try:
            TenantRecord.model_validate(
                {"id": request.id, "plan": request.plan, "cell": self.cell}
                | {key: value for key, value in given.items() if value is not None}
            )
        except ValidationError as error:
            detail = error.errors()[0]
            message = re.sub(r"^Value error, ", "", detail["msg"])
            raise UsageError(message, where=f"--{'.'.join(map(str, detail['loc']))}") from None
