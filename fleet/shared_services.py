"""What tenants share, as far as a run on a tenant works on it beside the tenant's stack."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from fleet import leftovers, tenant_role
from fleet.environments import Environment
from fleet.registry import Status, Tenant
from fleet.state import read_state
from fleet.tenant_role import Access
from stacks.contract import PlatformContract


class SharedServices:
    """Of a cell, for one run. `tell` gets whole lines for the user."""

    def __init__(self, environment: Environment, tell: Callable[[str], None]) -> None:
        self._environment, self._tell = environment, tell

    @cached_property
    def _contract(self) -> PlatformContract:
        stack = self._environment.stack
        return self._environment.contract(read_state(stack.project, stack.name, stack.environment, stack.workdir))

    def settle(self, tenant: Tenant) -> None:
        """Before a run on its stack: see `fleet.tenant_role`. A tenant that was never built has nothing to settle."""
        access = Access.CLOSED if tenant.suspended else Access.OPEN
        if tenant.status is Status.DELETING:
            access = Access.DELETED
        if access is not Access.OPEN or tenant.applied_hash is not None:
            tenant_role.settle(self._contract, self._environment.engine, tenant.id, access)

    def remove_leftovers(self, tenant: Tenant) -> None:
        """After its stack is destroyed: see `fleet.leftovers`."""
        leftovers.remove(self._contract, self._environment.engine, tenant.id, tell=self._tell)
