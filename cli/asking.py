"""Asking for an operation on a tenant: what every command that does so lets be said, and what it does alike."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from cli.cell import Cell, open_cell
from cli.options import EnvironmentOption, TargetOption, YesOption, confirm

if TYPE_CHECKING:
    from fleet.operations import Operation
    from fleet.tenant_requests import Asker

KeyOption = Annotated[
    str | None,
    typer.Option("--idempotency-key", metavar="KEY", help="Asked twice with one key, it is done once."),
]
FollowOption = Annotated[
    bool, typer.Option("--wait/--no-wait", help="Follow it until it ends, or only ask for it and return.")
]


@dataclass(frozen=True)
class Asking:
    """Where, by which key and how patiently it is asked: the options of these commands."""

    env: EnvironmentOption = None
    target: TargetOption = None
    key: KeyOption = None
    wait: FollowOption = True
    yes: YesOption = False

    def open_cell(self, tenant: str) -> AbstractContextManager[Cell]:
        """The cell to ask. Raises UsageError where `tenant` is no id or the key none, FreeholdError where the cell does
        not answer."""
        from fleet.free_text import require_key
        from fleet.wishes import require_id

        require_id(tenant)
        if self.key is not None:
            require_key(self.key)
        return open_cell(self.env, self.target)

    def confirm(self, question: str) -> None:
        """Go on only if a person agrees, now or by --yes. Raises UsageError where nobody can be asked."""
        confirm(question, yes=self.yes)

    def asker(self) -> Asker:
        """Who asks: the user of this machine."""
        from cli.following import requester
        from fleet.tenant_requests import Asker

        return Asker(requester(), self.key)

    def follow(self, cell: Cell, asked: Operation, name: str) -> None:
        """Show its progress until it ends, unless --no-wait. Raises FreeholdError where it fails."""
        if self.wait:
            cell.follow(asked, name)
