"""A cell as the commands on tenants open it: its platform is built, and its control database answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.output import Screen
from errors import TransientError, UsageError

if TYPE_CHECKING:
    import sqlalchemy as sa

    from fleet.environments import Environment
    from fleet.operations import Operation
    from fleet.queue_view import QueueView
    from fleet.registry import Registry, Tenant
    from fleet.targets import Target
    from fleet.tenant_requests import Requests
    from fleet.wishes import Wishes
    from stacks.contract import PlatformContract


@dataclass(frozen=True)
class Cell:
    """A cell whose platform is built, and its control database."""

    environment: Environment
    contract: PlatformContract
    database: sa.Engine
    screen: Screen

    @property
    def registry(self) -> Registry:
        from fleet.registry import Registry

        return Registry(self.database)

    @property
    def wishes(self) -> Wishes:
        from fleet.wishes import Wishes

        contract, environment = self.contract, self.environment
        limit = environment.tenants_maximum
        return Wishes(environment.cell, contract.product, contract.region, limit, environment.options)

    @property
    def requests(self) -> Requests:
        from fleet.tenant_requests import Requests

        return Requests(self.database, self.wishes)

    @property
    def view(self) -> QueueView:
        from fleet.queue_view import QueueView

        return QueueView(self.database)

    def follow(self, asked: Operation, name: str) -> None:
        """Show its progress until it ends. Raises FreeholdError where it fails."""
        from cli.following import Follower, goes_on
        from fleet.interrupts import Interrupts

        follower = Follower(self.environment, self.view, self.screen, Interrupts())
        mend = f"./freehold tenant show {asked.tenant}{self.environment.options} says how far it is"
        with goes_on(f"tenant {asked.tenant}", mend), self.screen.step(name) as step:
            follower.follow(asked, step)

    def find(self, tenant: str) -> Tenant:
        """Raises UsageError where the registry has none, or another cell has it."""
        found = self.registry.get(tenant)
        if found is None:
            mend = f"./freehold tenant list{self.environment.options}"
            raise UsageError("there is no such tenant", where=f"tenant {tenant}", mend=mend)
        if found.cell != self.environment.cell:
            raise UsageError(f"it lives in {found.cell}", where=f"tenant {tenant}", mend=f"--env {found.cell}")
        return found


@contextmanager
def open_cell(env: str | None, target: Target | None, *, read_only: bool = False) -> Iterator[Cell]:
    """The cell, if it is built. Raises FreeholdError where it is not, or does not answer.

    `read_only` is for who only looks: the control database is left as it is."""
    from cli.opening import check_account, open_environment, platform_state
    from fleet.control_database import control_database, control_database_to_read
    from fleet.environments import choose

    cell, chosen = choose(env, target)
    with Screen() as screen:
        environment = open_environment(cell, chosen, screen, start=False)
        state = platform_state(environment)
        contract = environment.contract(state)
        check_account(environment, state, screen)
        opened = control_database_to_read if read_only else control_database
        database = opened(contract, environment.engine)
        try:
            with told_if_lost(cell):
                yield Cell(environment, contract, database, screen)
        finally:
            database.dispose()


@contextmanager
def told_if_lost(cell: str) -> Iterator[None]:
    """Around work with a cell's control database. Raises TransientError where it ends or restarts meanwhile."""
    from cli.following import UNREACHABLE, reason

    try:
        yield
    except UNREACHABLE as error:
        # Whether what was asked for has been written is not known then; asked for again, it is asked once.
        where, mend = f"control database of {cell}", "run it again: what is asked for twice is done once"
        raise TransientError(f"the connection was lost: {reason(error)}", where=where, mend=mend) from None
