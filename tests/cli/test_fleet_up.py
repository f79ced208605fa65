"""`fleet up` asks for each tenant that is due, whatever becomes of one of them meanwhile."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner, Result

from cli import fleet, opening
from cli.app import app
from cli.output import Screen
from errors import FreeholdError, UsageError
from fleet.operations import Kind, Operation, State
from fleet.tenant_requests import Asker


class Cell:
    """Its tenants are all due; `gone` are being deleted by the time they are asked for. Those asked for end at once."""

    def __init__(self, *tenants: str, gone: Sequence[str] = (), ends: State = State.SUCCEEDED) -> None:
        self.tenants, self.gone, self.ends = tenants, gone, ends
        self.asked: dict[uuid.UUID, Operation] = {}

    def update(self, tenant: str, asker: Asker) -> Operation:
        if tenant in self.gone:
            raise UsageError("it is being deleted", where=f"tenant {tenant}")
        asked = operation(tenant, State.QUEUED)
        self.asked[asked.id] = asked
        return asked

    def all(self, identities: Sequence[uuid.UUID]) -> Sequence[Operation]:
        ended = {"state": self.ends, "finished_at": datetime.now(UTC)}
        return [self.asked[one].model_copy(update=ended) for one in identities]

    @contextmanager
    def opened(self, *_: object) -> Iterator[SimpleNamespace]:
        due = [SimpleNamespace(id=one, due=lambda version: True) for one in self.tenants]
        yield SimpleNamespace(
            environment=SimpleNamespace(cell="prod", options=" --env prod --target cloud"),
            registry=SimpleNamespace(list=lambda cell: due),
            requests=self,
            view=self,
            screen=Screen(),
        )


def operation(tenant: str, state: State) -> Operation:
    return Operation(
        id=uuid.uuid4(), number=1, tenant=tenant, kind=Kind.UPDATE, idempotency_key=tenant, requester="cli:somebody",
        payload={}, correlation_id="correlation", state=state, attempt=0, failures=0, takeovers=0,
        not_before=datetime.now(UTC), lease_holder=None, lease_until=None, progress=None, result=None, error=None,
        created_at=datetime.now(UTC), started_at=None, finished_at=None, seconds=None,
    )  # fmt: skip


def up(cell: Cell, monkeypatch: pytest.MonkeyPatch, *options: str) -> Result:
    monkeypatch.setattr(fleet, "open_cell", cell.opened)
    monkeypatch.setattr(opening, "start_runner", lambda _: None)
    return CliRunner().invoke(app, ["fleet", "up", "--yes", "--json", *options])


def ended(run: Result) -> list[tuple[str, str]]:
    return [(one["tenant"], one["state"]) for one in json.loads(run.stdout)]


def test_one_that_is_being_deleted_keeps_no_other_from_its_update(monkeypatch: pytest.MonkeyPatch) -> None:
    run = up(Cell("acme", "beta", "corp", gone=["beta"]), monkeypatch)
    assert run.exit_code == 0, run.output
    assert "freehold: left out: tenant beta: it is being deleted\n" in run.stderr
    assert "freehold: 2 tenants: 2 succeeded" in run.stderr
    assert ended(run) == [("acme", "succeeded"), ("corp", "succeeded")]


def test_where_all_are_being_deleted_nothing_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    run = up(Cell("acme", gone=["acme"]), monkeypatch)
    assert (run.exit_code, ended(run)) == (0, [])


@pytest.mark.parametrize(("gone", "said"), [(["acme"], "every other tenant is as"), ([], "every tenant is as")])
def test_of_one_that_is_being_deleted_nothing_good_is_said(
    gone: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "open_cell", Cell(*gone, gone=gone).opened)
    monkeypatch.setattr(opening, "start_runner", lambda _: None)
    run = CliRunner().invoke(app, ["fleet", "up", "--yes"])
    assert run.stdout.startswith(said), run.output


def test_one_whose_deletion_came_before_its_update_has_not_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    run = up(Cell("acme", ends=State.CANCELLED), monkeypatch)
    assert (run.exit_code, ended(run)) == (0, [("acme", "cancelled")])


def test_one_that_was_given_up_fails_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    run = up(Cell("acme", "beta", "corp", gone=["beta"], ends=State.FAILED), monkeypatch)
    assert isinstance(run.exception, FreeholdError)
    assert run.exception.line().startswith(
        "cell prod: 2 of 2 operations failed; ./freehold tenant show acme --env prod"
    )
