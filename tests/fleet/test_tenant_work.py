"""Which operations a runner does not carry out, because the tenant's row does not ask for them any more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import create_autospec

import pytest
import sqlalchemy as sa

from fleet import registry
from fleet.engine import Engine
from fleet.environments import POLICIES, Environment
from fleet.events import Progress
from fleet.operations import Kind
from fleet.program_host.client import ProgramHost
from fleet.queue import Claim, Queue
from fleet.registry import Registry, Status, Suspension
from fleet.runner.loop import Pace, Superseded
from fleet.runner.running import Run
from fleet.runner.work import TenantWork
from fleet.stack import Result, Stack
from fleet.targets import Target
from fleet.tenants import Tenants
from sandbox.home import Home
from tests.fleet.samples import CELL, add_tenants, ask, wanted

pytestmark = pytest.mark.sandbox


def _built(connection: sa.Connection) -> None:
    registry.applied(connection, "acme", "hash", "0.1.0")


def _deleted(connection: sa.Connection) -> None:
    registry.deleted(connection, "acme")


def _being_deleted(connection: sa.Connection) -> None:
    registry.deleting(connection, "acme")


def run_of(queue: Queue, claim: Claim) -> Run:
    return Run(queue, claim, lease_seconds=30, heartbeat_seconds=3, longest_seconds=60, grace_seconds=5)


@pytest.mark.parametrize(
    ("now", "kind", "why"),
    [
        (_built, Kind.DELETE, "tenant acme: it is not being deleted"),
        (_deleted, Kind.DELETE, "tenant acme: it is deleted"),
        (_deleted, Kind.UPDATE, "tenant acme: it is deleted"),
        (_being_deleted, Kind.UPDATE, "tenant acme: it is being deleted"),
    ],
)
def test_the_row_decides(
    database: sa.Engine, tmp_path: Path, now: Callable[[sa.Connection], None], kind: Kind, why: str
) -> None:
    add_tenants(database, "acme")
    with database.begin() as connection:
        now(connection)
    ask(database, "acme", kind)
    queue = Queue(database)
    claim = queue.claim(CELL, "one", 30)
    assert claim is not None
    work = TenantWork(
        Environment(CELL, Target.SANDBOX, Home(tmp_path), {}), Registry(database), create_autospec(ProgramHost)
    )
    with pytest.raises(Superseded, match=f"^{why}$"):
        work(run_of(queue, claim))


@pytest.mark.parametrize(
    ("chosen", "got"),
    [({}, "-c lock_timeout=60s"), ({"PGOPTIONS": "-c lock_timeout=5min"}, "-c lock_timeout=5min")],
    ids=["nothing was chosen", "a person's choice"],
)
def test_a_run_waits_for_nobody_s_lock_for_ever(
    database: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: dict[str, str], got: str
) -> None:
    add_tenants(database, "acme")
    ask(database, "acme", Kind.CREATE)
    queue = Queue(database)
    claim = queue.claim(CELL, "one", 30)
    assert claim is not None
    tenants = create_autospec(Tenants)
    monkeypatch.setattr("fleet.runner.work.Tenants", tenants)
    tenants.return_value.build.side_effect = Superseded("seen enough")
    environment = Environment(CELL, Target.CLOUD, Home(tmp_path), chosen)
    work = TenantWork(environment, Registry(database), create_autospec(ProgramHost))
    with pytest.raises(Superseded, match="seen enough"):
        work(run_of(queue, claim))
    assert tenants.call_args.args[0].engine["PGOPTIONS"] == got


@pytest.mark.parametrize(("reason", "status"), [(None, Status.ACTIVE), (Suspension.PAYMENT, Status.SUSPENDED)])
def test_a_tenant_is_written_as_it_was_built(
    database: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: Suspension | None, status: Status
) -> None:
    add_tenants(database, "acme")
    Registry(database).want(wanted("acme").model_copy(update={"suspended_for": reason}))
    ask(database, "acme")
    queue = Queue(database)
    claim = queue.claim(CELL, "one", 30)
    assert claim is not None
    tenants = create_autospec(Tenants)
    monkeypatch.setattr("fleet.runner.work.Tenants", tenants)
    tenants.return_value.build.return_value = Result("tenant.sandbox.acme", "up", Progress(), 0.0, None)
    environment = Environment(CELL, Target.CLOUD, Home(tmp_path), {})
    work = TenantWork(environment, Registry(database), create_autospec(ProgramHost))
    done = work(run_of(queue, claim))
    queue.succeed(claim, done.result, done.record)
    row = Registry(database).get("acme")
    assert row is not None
    assert (row.status, row.settled) == (status, True)


def test_its_engine_is_stopped_with_the_run_tells_its_progress_and_is_under_the_policies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenants, engine, programs = create_autospec(Tenants), create_autospec(Engine), create_autospec(ProgramHost)
    monkeypatch.setattr("fleet.runner.work.Tenants", tenants)
    monkeypatch.setattr("fleet.runner.work.Engine", engine)
    asked = SimpleNamespace(id="the-operation", tenant="acme", kind=Kind.UPDATE, correlation_id="the-cause")
    claim: Any = SimpleNamespace(operation=asked, asked=0.0)
    run = run_of(create_autospec(Queue), claim)
    environment = Environment(CELL, Target.CLOUD, Home(tmp_path), {})
    TenantWork(environment, create_autospec(Registry), programs)._tenants(run)
    inner, engine_for, _ = tenants.call_args.args
    assert inner.engine["FREEHOLD_OPERATION"] == "the-operation"
    assert inner.engine["FREEHOLD_CORRELATION_ID"] == "the-cause"
    engine_for(Stack("freehold", "tenant.sandbox.acme", tmp_path, {}))
    (home, stack), told = engine.call_args
    assert (home, stack.message) == (Home(tmp_path), "update, operation the-operation, correlation the-cause")
    # It waits for another run of the stack for less than its lease lasts.
    assert told.pop("wait") == 5.0 < Pace().lease
    assert told == {
        "tell": run.tell,
        "observe": run.observe,
        "interrupts": run.interrupts,
        "policies": POLICIES,
        "programs": programs,
    }
