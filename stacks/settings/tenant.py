"""The configuration of a tenant."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from catalog import blueprints
from catalog.identifiers import Subdomain, TenantId, Workspace
from catalog.plans import Plan, Slug, Tier, Workload
from stacks.settings.base import BlueprintName, CostCentre, Email, Region, Settings
from stacks.settings.workloads import WorkloadSettings, check_known


class TenantRecord(Settings):
    """One tenant, as the registry writes it."""

    id: TenantId
    plan: str
    cell: Slug
    """The platform stack that the tenant lives on."""
    name: str = Field(default="", max_length=200)
    email: Email | None = None
    subdomain: Subdomain | None = None
    region: Region | None = None
    """Where its data has to stay; the program is refused where its cell is elsewhere. Absent: where the cell is."""
    cost_centre: CostCentre | None = None
    """Absent: the tenant's id, so that its costs can be told apart."""
    workspaces: tuple[Workspace, ...] = Field(default=("default",), min_length=1)
    suspended: bool = False
    """Its data is kept, nothing of it runs and nobody gets in."""

    @field_validator("workspaces")
    @classmethod
    def _distinct(cls, workspaces: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(workspaces)) != len(workspaces):
            raise ValueError("a workspace is named twice")
        return workspaces


class TenantSettings(Settings):
    """What `freehold:program: tenant` is configured by; all else comes from the platform's contract."""

    program: Literal["tenant"]
    cloud: Literal["aws"] = "aws"
    blueprint: BlueprintName = "chronos-cloud"
    protect: bool = True
    inside_network: bool = True
    tenant: TenantRecord
    workloads: dict[str, WorkloadSettings] = Field(default_factory=dict)
    """Images of the blueprint's workloads, where this tenant gets others than the blueprint names."""

    @model_validator(mode="after")
    def _known_workloads(self) -> TenantSettings:
        check_known(self.blueprint, self.workloads)
        return self

    @field_validator("inside_network")
    @classmethod
    def _inside(cls, inside: bool) -> bool:
        if not inside:
            raise ValueError("a tenant is all within the private network; run its program inside it")
        return inside

    @model_validator(mode="after")
    def _plan_fits(self) -> TenantSettings:
        plan = self.plan()
        if plan.tier is not Tier.BRIDGE:
            raise ValueError(
                f"plan {plan.name} is of the {plan.tier} tier; this program builds the bridge tier (one stack a "
                "tenant, in shared services)"
            )
        if plan.quota.workspaces is not None and len(self.tenant.workspaces) > plan.quota.workspaces:
            raise ValueError(
                f"{len(self.tenant.workspaces)} workspaces exceed the {plan.quota.workspaces} of plan {plan.name}"
            )
        return self

    def image(self, workload: Workload) -> str | None:
        """The image that this tenant's `workload` runs, or None where it is not run."""
        chosen = self.workloads.get(workload.name)
        return chosen.image if chosen else workload.image

    def plan(self) -> Plan:
        """The tenant's plan. Raises ValueError where the blueprint has none of that name."""
        try:
            return blueprints.load(self.blueprint).plan(self.tenant.plan)
        except KeyError as error:
            raise ValueError(error.args[0]) from error
