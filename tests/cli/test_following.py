"""How a command that follows an operation ends, where the operation does not end well."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import sqlalchemy as sa

from cli import following, opening
from cli.cell import open_cell
from cli.following import Follower
from cli.output import Screen
from errors import FreeholdError, TransientError
from fleet import control_database
from fleet.environments import Environment
from fleet.interrupts import Interrupts
from fleet.operations import Operation, State
from fleet.queue_view import QueueView
from fleet.targets import Target
from sandbox.home import Home
from tests.cli.test_fleet_up import operation


def lost() -> sa.exc.OperationalError:
    return sa.exc.OperationalError("SELECT 1", {}, Exception("terminating connection\nby command"))


@dataclass
class Restarts:
    """A queue whose database is away for so many questions."""

    away: int
    ended: Operation

    def get(self, identity: uuid.UUID) -> Operation:
        return self.all([identity])[0]

    def all(self, identities: Sequence[uuid.UUID]) -> Sequence[Operation]:
        self.away -= 1
        if self.away >= 0:
            raise lost()
        return [self.ended]


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("away", [2, 10**9])
def test_a_database_that_fails_over_is_waited_for(
    away: int, several: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(following, "_DATABASE_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(following, "_DATABASE_SECONDS", 0.2 if away > 2 else 60.0)
    asked = operation("acme", State.QUEUED)
    ended = asked.model_copy(update={"state": State.SUCCEEDED, "finished_at": asked.created_at})
    environment = Environment("prod", Target.CLOUD, Home(tmp_path), {})
    with Screen() as screen, screen.step("tenant acme") as step:
        follower = Follower(environment, cast(QueueView, Restarts(away, ended)), screen, Interrupts())

        def follow() -> Sequence[Operation]:
            return follower.follow_all([asked], step) if several else [follower.follow(asked, step)]

        if away == 2:
            assert follow() == [ended]
        else:
            with pytest.raises(TransientError) as failure:
                follow()
            assert failure.value.line() == (
                "cell prod: no longer followed, and goes on; the control database does not answer: terminating "
                "connection; ./freehold fleet status --env prod --target cloud says how far it is"
            )
    assert capsys.readouterr().err.count("freehold: waiting for the control database, at most ") == 1


def test_a_connection_that_is_lost_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = SimpleNamespace(contract=lambda state: None, engine={})
    monkeypatch.setattr(opening, "open_environment", lambda *_, **__: environment)
    monkeypatch.setattr(opening, "platform_state", lambda _: None)
    monkeypatch.setattr(opening, "check_account", lambda *_: None)
    monkeypatch.setattr(control_database, "control_database", lambda *_: SimpleNamespace(dispose=lambda: None))
    with pytest.raises(TransientError) as failure, open_cell(None, None):
        raise lost()
    assert failure.value.line() == (
        "control database of sandbox: the connection was lost: terminating connection; run it again: what is asked for "
        "twice is done once"
    )


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
