"""A tenant's stack: its working folder, its updates and its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from errors import UsageError
from fleet import tenant_folders
from fleet.engine import Engine
from fleet.environments import Environment
from fleet.registry import Status, Tenant
from fleet.stack import Result, Stack

EngineFor = Callable[[Stack], Engine]


class Shared(Protocol):
    """What tenants share: `fleet.shared_services`."""

    def settle(self, tenant: Tenant) -> None: ...

    def remove_leftovers(self, tenant: Tenant) -> None: ...


class Tenants:
    """The stacks of one cell's tenants. `engine_for` makes the engine that runs one."""

    def __init__(self, environment: Environment, engine_for: EngineFor, shared: Shared) -> None:
        self._environment, self._engine_for, self._shared = environment, engine_for, shared

    def build(self, tenant: Tenant) -> Result:
        """Bring its stack to what is wanted, by a full update. Raises UsageError where it is being deleted."""
        if tenant.status in (Status.DELETING, Status.DELETED):
            words = f"./freehold tenant delete {tenant.id} --yes-delete-data {tenant.id}{self._environment.options}"
            raise UsageError(f"it is {tenant.status}", where=f"tenant {tenant.id}", mend=f"{words} ends it")
        config = tenant_folders.configuration(self._environment, tenant)
        self._shared.settle(tenant)
        self._finish_earlier(tenant, config)
        stack = tenant_folders.prepare(self._environment, tenant, config)
        return self._engine_for(stack).up(preview_new=False)

    def destroy(self, tenant: Tenant) -> Result:
        """Destroy its stack with all its data, and forget the stack. Can be repeated."""
        config = tenant_folders.configuration(self._environment, tenant)
        self._shared.settle(tenant)
        self._finish_earlier(tenant, {})  # a destroy asks for nothing, whatever the last run had
        # What is protected cannot be destroyed, and its schema goes with all that is in it only where the program says
        # so. Of the rest nothing is built for it: what cannot be built can still be deleted.
        stack = tenant_folders.prepare(self._environment, tenant, {**config, "freehold:protect": "false"})
        self._engine_for(stack).unprotect()
        result = self._engine_for(stack).destroy()
        self._shared.remove_leftovers(tenant)
        self._engine_for(stack).remove()
        tenant_folders.remove(self._environment, tenant.id)
        return result

    def _finish_earlier(self, tenant: Tenant, config: Mapping[str, Any]) -> None:
        """`config` is wanted now. What the last run was cut off at may not be in it: see `Engine.finish_cut_off`."""
        if (stack := tenant_folders.earlier(self._environment, tenant, config)) is not None:
            self._engine_for(stack).finish_cut_off()
