"""Tenants and operations as tests of the queue need them."""

from __future__ import annotations

import itertools

import sqlalchemy as sa

from catalog.plans import Tier
from fleet.operations import Kind, Operation, enqueue
from fleet.registry import Wanted, add

CELL = "sandbox"
_NUMBERS = itertools.count()


def wanted(tenant: str, *, cell: str = CELL, plan: str = "starter") -> Wanted:
    return Wanted(
        id=tenant, product="chronos-cloud", name=tenant, subdomain=tenant, admin_email=None, plan=plan,
        tier=Tier.BRIDGE, cell=cell, region="us-east-1", limits={"workspaces": 3},
    )  # fmt: skip


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
