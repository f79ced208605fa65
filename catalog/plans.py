"""What a product sells: plans with their prices, quotas, features and the room they get in a cluster."""

from __future__ import annotations

import re
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from catalog.forms import form

Slug = Annotated[
    str,
    form(r"[a-z]([a-z0-9-]*[a-z0-9])?", "name of lower-case letters, digits and inner hyphens, a letter first"),
    Field(max_length=32),
]
Limit = Annotated[int, Field(ge=0)] | None
"""A count that may not be exceeded; None is unlimited."""
Cores = Annotated[str, form(r"[0-9]+m?", "number of processors such as 2 or 500m")]
Room = Annotated[str, form(r"[0-9]+(Mi|Gi|Ti)", "amount of memory or storage such as 512Mi, 4Gi or 1Ti")]
"""Apart from `Cores`, because Kubernetes takes `128m` of memory for an eighth of a byte."""

_UNITS = {"": Decimal(1), "m": Decimal("0.001"), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40)}


def amount(quantity: str) -> Decimal:
    """Cores or Room as a number: of processors or bytes."""
    match = re.fullmatch(r"([0-9]+)(\D*)", quantity)
    if match is None or match[2] not in _UNITS:
        raise ValueError(f"{quantity!r} is not a quantity such as 500m, 2 or 4Gi")
    return Decimal(match[1]) * _UNITS[match[2]]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tier(StrEnum):
    """How far a tenant's resources are its own."""

    POOL = "pool"
    """Rows in shared services under forced row security; no stack of its own."""
    BRIDGE = "bridge"
    """Own namespace, Postgres schema and role, Redis user and prefix, object prefix and role, in shared services."""
    SILO = "silo"
    """Own database, cache, bucket, node pool and key."""


class Price(_Model):
    """What a plan costs a month, before tax."""

    monthly: Decimal = Field(ge=0, decimal_places=2)
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"


class Quota(_Model):
    """What the product counts for an organisation. None is unlimited."""

    workspaces: Limit
    members: Limit
    jobs_per_workspace: Limit
    executions_per_month: Limit
    api_requests_per_minute: Limit


class WorkspaceSize(_Model):
    """The room that one workspace has in a cluster and its tenant in the shared servers."""

    cpu_requests: Cores
    cpu_limits: Cores
    memory_requests: Room
    memory_limits: Room
    storage: Room
    """Of volumes that outlive their pods."""
    ephemeral_storage: Room
    """Of the nodes' own disks, for what containers write and log; set apart for each before it runs."""
    pods: int = Field(gt=0)
    services: int = Field(gt=0)
    secrets: int = Field(gt=0)
    config_maps: int = Field(gt=0)
    volume_claims: int = Field(ge=0)
    jobs: int = Field(gt=0)
    database_connections: int = Field(gt=0)
    """Of the tenant's Postgres role, over all its workspaces."""
    scheduler_replicas_maximum: int = Field(gt=0)

    @model_validator(mode="after")
    def _requests_within_limits(self) -> WorkspaceSize:
        for what in ("cpu", "memory"):
            if amount(getattr(self, f"{what}_requests")) > amount(getattr(self, f"{what}_limits")):
                raise ValueError(f"{what}_requests exceed {what}_limits")
        return self


class Plan(_Model):
    """One thing a customer can buy."""

    name: Slug
    title: str
    tier: Tier
    price: Price
    quota: Quota
    size: WorkspaceSize | None
    """None where tenants have no namespace of their own (the pool tier)."""
    features: frozenset[str]
    analytics: Slug
    support: Slug
    sla_percent: Decimal | None = Field(default=None, gt=0, lt=100)
    """Promised availability a month; None promises nothing."""

    @model_validator(mode="after")
    def _size_follows_tier(self) -> Plan:
        if (self.size is None) != (self.tier is Tier.POOL):
            raise ValueError(f"plan {self.name}: a pool plan has no workspace size, every other plan has one")
        return self


_COMPONENT = r"[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*"
_DIGEST = r"@sha256:[0-9a-f]{64}"
Image = Annotated[
    str,
    form(
        rf"([A-Za-z0-9.-]+(:[0-9]+)?/)?{_COMPONENT}(/{_COMPONENT})*(:[A-Za-z0-9_][\w.-]{{0,127}}({_DIGEST})?|{_DIGEST})",
        "image with a tag or a digest, such as registry.example.com/team/program:1.4.2",
    ),
]
"""A container image with a tag, a digest or both: https://github.com/distribution/reference (reference.go)."""


class Workload(_Model):
    """A program that the product runs in each workspace."""

    name: Slug
    image: Image | None
    """None: runs only for tenants whose configuration names one."""
    port: int = Field(gt=0, lt=65536)
    cpu: Cores
    memory: Room
    replicas_minimum: int = Field(gt=0)
    cpu_utilisation_percent: int = Field(gt=0, le=100)


class Blueprint(_Model):
    """A product: what it sells and what it runs."""

    name: Slug
    title: str
    feature_titles: dict[str, str]
    roles: tuple[Slug, ...]
    """Roles of an organisation's members, from the most to the least powerful."""
    plans: tuple[Plan, ...]
    workloads: tuple[Workload, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Blueprint:
        names = [plan.name for plan in self.plans]
        if len(set(names)) != len(names):
            raise ValueError("two plans have the same name")
        for plan in self.plans:
            if unknown := plan.features - self.feature_titles.keys():
                raise ValueError(f"plan {plan.name} has undeclared features: {', '.join(sorted(unknown))}")
        if len(self.roles) < 2 or len(set(self.roles)) != len(self.roles):
            raise ValueError("roles: at least two are wanted, of different names: the last one only looks")
        programs = [workload.name for workload in self.workloads]
        if len(set(programs)) != len(programs):
            raise ValueError("two workloads have the same name")
        for workload in self.workloads:
            for plan in self.plans:
                if plan.size is not None and plan.size.scheduler_replicas_maximum < workload.replicas_minimum:
                    raise ValueError(f"plan {plan.name} has room for fewer replicas than {workload.name} begins with")
        return self

    def plan(self, name: str) -> Plan:
        """The plan called `name`. Raises KeyError, whose text lists the plans, where there is none."""
        for plan in self.plans:
            if plan.name == name:
                return plan
        raise KeyError(f"{self.name} has no plan {name!r}; its plans are {', '.join(p.name for p in self.plans)}")
