"""Tenants and operations as tests of the queue need them."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

import sqlalchemy as sa

from catalog.plans import Tier
from fleet.operations import Kind, Operation, enqueue
from fleet.registry import Status, Tenant, Wanted, add

CELL = "sandbox"
_NUMBERS = itertools.count()


def wanted(tenant: str, *, cell: str = CELL, plan: str = "starter") -> Wanted:
    return Wanted(
        id=tenant, product="chronos-cloud", name=tenant, subdomain=tenant, admin_email=None, plan=plan,
        tier=Tier.BRIDGE, cell=cell, region="us-east-1", limits={"workspaces": 3},
    )  # fmt: skip


def tenant(id: str, *, cell: str = CELL, plan: str = "starter", status: Status = Status.ACTIVE) -> Tenant:
    """As the registry has it."""
    now = datetime.now(UTC)
    row = {"status": status, "created_at": now, "updated_at": now}
    none = dict.fromkeys(("applied_hash", "program_version", "last_error", "applied_at", "deleted_at"))
    return Tenant.model_validate({**wanted(id, cell=cell, plan=plan).model_dump(), **none, **row})


def add_tenants(engine: sa.Engine, *names: str, cell: str = CELL) -> None:
    with engine.begin() as connection:
        for name in names:
            add(connection, wanted(name, cell=cell))


def ask(engine: sa.Engine, tenant: str, kind: Kind = Kind.UPDATE, key: str | None = None) -> Operation:
    """Ask for an operation, under a key of its own where none is given."""
    with engine.begin() as connection:
        return enqueue(
            connection,
            tenant,
            kind,
            idempotency_key=key or f"key-{next(_NUMBERS)}",
            requester="test",
            correlation_id="correlation",
        )
