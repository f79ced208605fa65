"""The queue as a person meets it: `tenant` with keys and without waiting, `fleet up` and `fleet status`."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from fleet.control_database import control_database
from fleet.operations import OPERATIONS
from fleet.registry import TENANTS
from sandbox.supervisor.client import Supervisor
from stacks.contract import OUTPUT, read
from tests.rehearsal.freehold import Freehold, stack_path, until

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(1500)]

RUNNER = "runner-sandbox"


@pytest.fixture
def database(built: Freehold) -> Iterator[sa.Engine]:
    contract = read("sandbox", built.state().outputs[OUTPUT])
    engine = control_database(contract, built.variables)
    yield engine
    engine.dispose()


def operations(built: Freehold, tenant: str) -> dict[str, Any]:
    found: dict[str, Any] = built.json("tenant", "show", tenant)["operation"]
    return found


def test_a_tenant_from_a_failed_creation_to_its_deletion(built: Freehold, database: sa.Engine) -> None:
    create = ("tenant", "create", "hooli", "--plan", "starter", "--email", "ops@hooli.example", "--yes")
    delete = ("tenant", "delete", "hooli", "--yes-delete-data", "hooli", "--yes")
    try:
        # Its namespace is there already: create never adopts.
        built.by_hand("kubectl create namespace t-hooli--default").check_returncode()
        assert built.run(*create).returncode == 1
        failed = built.json("tenant", "show", "hooli")
        assert failed["status"] == "failed"
        assert "exists" in failed["last_error"]
        built.by_hand("kubectl delete namespace t-hooli--default").check_returncode()

        one_key_is_one_operation_and_nobody_need_wait(built, create, delete)
        again = built.run(*create)
        assert again.returncode == 2
        assert "freehold: tenant hooli: it exists already" in again.stderr
        starter = pods(built, "hooli")
        assert built.json("tenant", "plan", "hooli", "pro", "--yes")["plan"] == "pro"
        assert pods(built, "hooli") > starter
        assert [row["id"] for row in built.json("tenant", "list")] == ["acme", "acme-eu", "hooli"]
        # A suspended tenant is deleted as any other.
        assert built.json("tenant", "suspend", "hooli", "--yes")["status"] == "suspended"
    finally:
        built.ok(*delete)  # for the tests after this one
    assert built.by_hand("kubectl get namespace t-hooli--default").returncode == 1
    assert built.json("tenant", "show", "hooli")["status"] == "deleted"
    assert [row["id"] for row in built.json("tenant", "list")] == ["acme", "acme-eu"]
    assert not (built.home.tenants / "sandbox" / "hooli").exists()
    assert not stack_path(built.home, "tenant.sandbox.hooli").exists()
    with database.connect() as connection:
        kinds = connection.scalars(
            sa.select(OPERATIONS.c.kind).where(OPERATIONS.c.tenant == "hooli").order_by(OPERATIONS.c.number)
        ).all()
    assert kinds == ["create", "create", "update", "suspend", "delete"]


def one_key_is_one_operation_and_nobody_need_wait(
    built: Freehold, create: Sequence[str], delete: Sequence[str]
) -> None:
    key = ("--idempotency-key", "press-1")
    operation = built.json(*create, *key, "--no-wait")["operation"]
    assert operation["state"] in ("queued", "running")
    assert operation["kind"] == "create"
    assert operation["requester"].startswith("cli:")
    made = built.json(*create, *key)
    assert (made["status"], made["plan"], made["admin_email"]) == ("active", "starter", "ops@hooli.example")
    assert made["desired_hash"] == made["applied_hash"]
    assert made["last_error"] is None
    assert made["operation"]["id"] == operation["id"]
    assert made["operation"]["state"] == "succeeded"
    assert made["operation"]["result"]["changes"]["create"] > 10
    # What the engine's own history keeps of it.
    history = built.by_hand(
        "cd $FREEHOLD_HOME/tenants/sandbox/hooli && pulumi stack history --json -s tenant.sandbox.hooli"
    )
    assert operation["correlation_id"] in json.loads(history.stdout)[0]["message"]
    again = built.json(*create, *key)
    assert again["operation"]["id"] == operation["id"]
    other = built.run(*delete, *key)
    assert other.returncode == 2
    assert "idempotency key press-1: it was used to create tenant hooli; choose another key" in other.stderr


def pods(built: Freehold, tenant: str) -> int:
    """What the quota of its first workspace allows."""
    quotas = built.objects("resourcequotas", f"t-{tenant}--default")
    return next(int(quota["status"]["hard"]["pods"]) for quota in quotas if "pods" in quota["status"]["hard"])


def test_fleet_up_runs_what_is_due_and_nothing_else(built: Freehold, database: sa.Engine) -> None:
    assert "every tenant is as it is wanted" in built.ok("fleet", "up", "--yes").stdout
    with database.begin() as connection:
        older = sa.update(TENANTS).where(TENANTS.c.id == "acme").values(program_version="0.0.1")
        connection.execute(older)
    shown = built.json("fleet", "status")
    assert (shown["tenants"], shown["due"], shown["open"], shown["failing"]) == (2, 1, [], [])
    done = built.json("fleet", "up", "--yes")
    assert [(one["tenant"], one["kind"], one["state"]) for one in done] == [("acme", "update", "succeeded")]
    assert set(done[0]["result"]["changes"]) == {"same"}
    assert built.json("fleet", "status")["due"] == 0


def test_what_was_given_up_is_shown(built: Freehold, database: sa.Engine) -> None:
    """A kind that no runner does yet."""
    with database.begin() as connection:
        connection.execute(
            sa.insert(OPERATIONS).values(
                tenant="acme",
                kind="rotate",
                idempotency_key="rotate-1",
                requester="test",
                correlation_id="c",
                payload={},
            )
        )
    until(lambda: operations(built, "acme")["state"] == "failed")
    try:
        assert (
            operations(built, "acme")["error"] == "tenant acme: to rotate a tenant is not built yet; nothing was done"
        )
        status = built.run("fleet", "status")
        assert status.returncode == 1
        assert "1 given up" in status.stdout
        assert status.stderr.splitlines()[-1].endswith("./freehold tenant show acme says why")
    finally:
        assert built.json("fleet", "up", "--yes")[0]["state"] == "succeeded"
    assert built.run("fleet", "status").returncode == 0


def test_without_a_runner_it_says_so(built: Freehold) -> None:
    supervisor = Supervisor.connect(built.home)
    (port,) = (one.port for one in supervisor.status().processes if one.name == RUNNER)
    assert port is not None
    supervisor.stop_runner("sandbox")
    with socket.create_server(("127.0.0.1", port)):  # another program takes its place meanwhile
        _without_runner(built, supervisor)
    assert operations(built, "acme")["state"] == "succeeded"
    assert built.json("tenant", "plan", "acme", "pro", "--yes")["plan"] == "pro"


def _without_runner(built: Freehold, supervisor: Supervisor) -> None:
    try:
        assert RUNNER not in {one.name for one in supervisor.status().processes}
        run = built.run("tenant", "plan", "acme", "starter", "--yes")
        assert run.returncode == 1
        (line,) = run.stderr.splitlines()
        assert line.startswith("freehold: tenant acme: operation ")
        assert line.endswith(" waits, and no runner is there to do it; ./freehold up starts one")
    finally:
        built.ok("up")
