"""How a command that follows an operation ends, where the operation does not end well."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from cli.following import Follower
from cli.output import Screen
from errors import FreeholdError
from fleet.environments import Environment
from fleet.interrupts import Interrupts
from fleet.operations import State
from fleet.queue_view import QueueView
from fleet.targets import Target
from sandbox.home import Home
from tests.cli.test_fleet_up import operation


@pytest.mark.parametrize(
    ("state", "error", "said"),
    [
        (
            State.CANCELLED,
            "tenant acme: it is being deleted",
            "tenant acme: it is being deleted; ./freehold tenant show acme --env prod --target cloud tells how far "
            "that is",
        ),
        (
            State.FAILED,
            "stack tenant.prod.acme: no such zone; see its log",
            "stack tenant.prod.acme: no such zone; see its log",
        ),
    ],
)
def test_what_was_cancelled_is_told_with_what_shows_why(state: State, error: str, said: str, tmp_path: Path) -> None:
    asked = operation("acme", State.QUEUED)
    now = asked.model_copy(update={"state": state, "error": error, "finished_at": asked.created_at})
    view = cast(QueueView, SimpleNamespace(get={asked.id: now}.get))
    environment = Environment("prod", Target.CLOUD, Home(tmp_path), {})
    with Screen() as screen, pytest.raises(FreeholdError) as failure, screen.step("tenant acme") as step:
        Follower(environment, view, screen, Interrupts()).follow(asked, step)
    assert failure.value.line() == said
