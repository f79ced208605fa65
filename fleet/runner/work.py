"""What each kind of operation does to a tenant's stack."""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from errors import FreeholdError
from fleet import registry
from fleet.engine import Engine
from fleet.environments import POLICIES, Environment
from fleet.operations import Kind
from fleet.outcomes import Outcome
from fleet.program import program_version
from fleet.program_host.client import ProgramHost
from fleet.queue import BUILDS
from fleet.registry import Registry, Status, Tenant
from fleet.runner.loop import Superseded
from fleet.runner.running import Done, Run
from fleet.shared_services import SharedServices
from fleet.stack import Stack
from fleet.tenants import Tenants

_LOCK_WAIT_SECONDS = 5.0
"""For another run of the same stack; after that it is tried again later."""
_SESSIONS = {"PGOPTIONS": "-c lock_timeout=60s"}
"""Of the postgresql provider, where nobody has chosen other ones. It takes locks under numbers that everybody knows,
and a tenant's session can hold one of them for ever in the database that all share: each run would wait for it, with a
lease that is renewed. The provider's own transactions take far less than a second, and a minute is enough for all that
runs at once to take turns."""


class TenantWork:
    """Operations of the tenants of one cell, each by engines of its own, with one program for all of them."""

    def __init__(self, environment: Environment, registry: Registry, programs: ProgramHost) -> None:
        self._environment, self._registry, self._programs = environment, registry, programs

    def __call__(self, run: Run) -> Done:
        operation = run.operation
        where = f"tenant {operation.tenant}"
        if operation.kind not in (*BUILDS, Kind.DELETE):
            raise FreeholdError(f"to {operation.kind} a tenant is not built yet", where=where, mend="nothing was done")
        tenant = self._registry.get(operation.tenant)
        if tenant is None or tenant.status is Status.DELETED:
            raise Superseded("it is deleted", where=where)
        if operation.kind is Kind.DELETE:
            # The row decides, which fewer may write than operations: see fleet.privileges. And one that waited while
            # the tenant was deleted and made again is not meant for the new one.
            if tenant.status is not Status.DELETING:
                raise Superseded("it is not being deleted", where=where)
            result = self._tenants(run).destroy(tenant)
            return Done(Outcome.of(result).as_json(), lambda connection: registry.deleted(connection, tenant.id))
        if tenant.status is Status.DELETING:
            raise Superseded("it is being deleted", where=where)
        return self._build(run, tenant)

    def _build(self, run: Run, tenant: Tenant) -> Done:
        version = program_version()
        result = self._tenants(run).build(tenant)

        def record(connection: sa.Connection) -> None:
            # As it was built: what was asked meanwhile has an operation of its own.
            registry.applied(connection, tenant.id, tenant.desired_hash, version, suspended=tenant.suspended)

        return Done(Outcome.of(result).as_json(), record)

    def _tenants(self, run: Run) -> Tenants:
        environment = self._environment.renewed()
        correlation = run.operation.correlation_id
        variables = {"FREEHOLD_OPERATION": str(run.operation.id), "FREEHOLD_CORRELATION_ID": correlation}
        environment = replace(environment, engine={**_SESSIONS, **environment.engine, **variables})

        def engine(stack: Stack) -> Engine:
            message = f"{run.operation.kind}, operation {run.operation.id}, correlation {correlation}"
            return Engine(
                environment.home,
                replace(stack, message=message),
                tell=run.tell,
                observe=run.observe,
                interrupts=run.interrupts,
                policies=POLICIES,
                wait=_LOCK_WAIT_SECONDS,
                programs=self._programs,
            )

        return Tenants(environment, engine, SharedServices(environment, run.tell))
