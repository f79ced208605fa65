"""How far a tenant's role in the shared database is closed before a run on its stack."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from fleet import tenant_role
from fleet.environments import Environment
from fleet.registry import Status, Suspension
from fleet.shared_services import SharedServices
from fleet.targets import Target
from fleet.tenant_role import Access
from sandbox.home import Home
from stacks.contract import PlatformContract
from tests.fleet.contracts import contract
from tests.fleet.samples import tenant


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Access]]:
    """Who is settled, and how."""
    told: list[tuple[str, Access]] = []

    def settle(contract: PlatformContract, environment: Mapping[str, str], tenant: str, access: Access) -> None:
        told.append((tenant, access))

    monkeypatch.setattr(tenant_role, "settle", settle)
    monkeypatch.setattr(SharedServices, "_contract", contract())
    return told


@pytest.mark.parametrize(
    ("status", "suspended_for", "built", "access"),
    [
        (Status.PENDING, None, None, None),  # there is nothing yet
        (Status.ACTIVE, None, "hash", Access.OPEN),
        (Status.FAILED, None, "hash", Access.OPEN),
        (Status.ACTIVE, Suspension.PAYMENT, "hash", Access.CLOSED),
        # A build that was cut off may have made the role.
        (Status.FAILED, Suspension.OPERATOR, None, Access.CLOSED),
        (Status.DELETING, None, "hash", Access.DELETED),
        (Status.DELETING, None, None, Access.DELETED),
        (Status.DELETING, Suspension.PAYMENT, "hash", Access.DELETED),
    ],
)
def test_what_a_tenant_may_go_on_doing_follows_from_its_row(
    tmp_path: Path,
    settled: list[tuple[str, Access]],
    status: Status,
    suspended_for: Suspension | None,
    built: str | None,
    access: Access | None,
) -> None:
    row = tenant("acme", status=status).model_copy(update={"suspended_for": suspended_for, "applied_hash": built})
    SharedServices(Environment("sandbox", Target.SANDBOX, Home(tmp_path), {}), print).settle(row)
    assert settled == ([] if access is None else [("acme", access)])
