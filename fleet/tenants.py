"""The life of a tenant: its row in the registry, its working folder, its stack."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import ValidationError

from catalog import blueprints, limits
from catalog.identifiers import check_tenant_id
from catalog.plans import Plan, Tier
from errors import FreeholdError, UsageError
from fleet import tenant_folders
from fleet.engine import Engine, Result, Stack
from fleet.environments import Environment
from fleet.interrupts import Interrupted
from fleet.registry import Registry, Status, Tenant, Wanted
from sandbox.home import CHECKOUT
from stacks.settings import TenantRecord

EngineFor = Callable[[Stack], Engine]


@dataclass(frozen=True)
class Request:
    """What a person asks of a new tenant; what is left out follows from the id and the cell."""

    id: str
    plan: str
    name: str | None = None
    subdomain: str | None = None
    email: str | None = None
    region: str | None = None


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


@cache
def program_version() -> str:
    """The version in pyproject.toml, with the commit where the checkout is a git one."""
    version = str(tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["version"])
    run = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], cwd=CHECKOUT, capture_output=True, text=True)
    return f"{version}+{run.stdout.strip()}" if run.returncode == 0 else version


class Tenants:
    """The tenants of one cell. `engine_for` makes the engine that runs a tenant's stack."""

    def __init__(self, environment: Environment, product: str, region: str, registry: Registry, engine_for: EngineFor):
        self.environment, self.product, self.region = environment, product, region
        self.registry = registry
        self._engine_for = engine_for

    def add(self, request: Request) -> Tenant:
        """A pending row. Raises UsageError for a bad value, where the id or subdomain is taken, or the cell is full."""
        require_id(request.id)
        plan = require_plan(self.product, request.plan)
        if request.region not in (None, self.region):
            mend = "leave --region out, or choose a cell there with --cell"
            raise UsageError(f"cell {self.environment.cell} is in {self.region}", where="--region", mend=mend)
        self._validate(request)
        self._require_room(request.id)
        return self.registry.add(self._wanted(request, plan))

    def build(self, tenant: Tenant) -> tuple[Tenant, Result]:
        """Bring its stack to what is wanted, by a full update; a failure is kept in the registry and can be retried."""
        if tenant.status in (Status.DELETING, Status.DELETED):
            raise UsageError(
                f"it is {tenant.status}", where=f"tenant {tenant.id}", mend="freehold tenant delete ends it"
            )
        config = tenant_folders.configuration(self.environment, tenant)
        stack = tenant_folders.prepare(self.environment, tenant, config)
        try:
            result = self._engine_for(stack).up()
        except Interrupted:
            raise  # nobody's failure: it is as pending as it was
        except FreeholdError as error:
            self.registry.failed(tenant.id, error.line())
            raise
        if not tenant.settled or tenant.program_version != program_version():
            tenant = self.registry.applied(tenant.id, tenant.desired_hash, program_version())
        return tenant, result

    def change_plan(self, tenant: Tenant, name: str) -> Tenant:
        """Want another plan; `build` makes it so."""
        plan = require_plan(self.product, name)
        request = Request(tenant.id, name, tenant.name, tenant.subdomain, tenant.admin_email, None)
        return self.registry.want(self._wanted(request, plan))

    def delete(self, tenant: Tenant) -> None:
        """Destroy its stack with all its data, forget the stack, keep the row as `deleted`. Can be repeated."""
        self.registry.deleting(tenant.id)
        config = tenant_folders.configuration(self.environment, tenant)
        try:
            self._destroy(tenant, config)
        except Interrupted:
            raise
        except FreeholdError as error:
            self.registry.deleting(tenant.id, error.line())
            raise
        self.registry.deleted(tenant.id)

    def _destroy(self, tenant: Tenant, config: dict[str, Any]) -> None:
        stack = tenant_folders.prepare(self.environment, tenant, config)
        if str(config.get("freehold:protect", True)).lower() != "false":
            # What is protected cannot be destroyed; taking the protection off is an update of its own.
            tenant_folders.prepare(self.environment, tenant, {**config, "freehold:protect": "false"})
            self._engine_for(stack).up()
        self._engine_for(stack).destroy()
        self._engine_for(stack).remove()
        tenant_folders.remove(self.environment, tenant.id)

    def _require_room(self, tenant: str) -> None:
        """Raises UsageError where the cell can hold no further tenant; the cloud would refuse it halfway."""
        chosen = self.environment.config("redis") or {}
        most = limits.tenants_maximum(int(chosen.get("usersMaximum", limits.CACHE_USERS_MAXIMUM)))
        present = {row.id for row in self.registry.list(cell=self.environment.cell) if row.tier is Tier.BRIDGE}
        if tenant not in present and len(present) >= most:
            raise UsageError(
                f"it holds {len(present)} tenants, as many as its cache takes users",
                where=f"cell {self.environment.cell}",
                mend="choose another cell with --cell; docs/limits.md says how to make room",
            )

    def _wanted(self, request: Request, plan: Plan) -> Wanted:
        return Wanted(
            id=request.id,
            product=self.product,
            name=request.name or request.id,
            subdomain=request.subdomain or request.id,
            admin_email=request.email,
            plan=plan.name,
            tier=plan.tier,
            cell=self.environment.cell,
            region=self.region,
            limits=plan.quota.model_dump(mode="json"),
        )

    def _validate(self, request: Request) -> None:
        """By the model that the tenant program reads its record with, so that nothing is refused only later."""
        given = {"subdomain": request.subdomain, "email": request.email, "name": request.name}
        try:
            TenantRecord.model_validate(
                {"id": request.id, "plan": request.plan, "cell": self.environment.cell}
                | {key: value for key, value in given.items() if value is not None}
            )
        except ValidationError as error:
            detail = error.errors()[0]
            message = re.sub(r"^Value error, ", "", detail["msg"])
            raise UsageError(message, where=f"--{'.'.join(map(str, detail['loc']))}") from None
