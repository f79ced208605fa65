"""A tenant's stack that holds nothing is updated without a preview, any other after one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fleet.engine import Engine
from fleet.state import StackState
from fleet.state_files import state_path
from sandbox.home import Home
from tests.fleet.samples import tenant
from tests.fleet.test_tenant_destroy import STACK, Bench

SKIPPED = "--skip-preview"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(Home(tmp_path))


def built(bench: Bench) -> tuple[str, ...]:
    """What was run to build it."""
    bench.tenants.build(tenant("acme", cell="prod"))
    return bench.ran.commands[-1]


def test_only_one_that_holds_nothing_is_not_previewed(bench: Bench) -> None:
    assert SKIPPED in built(bench)
    bench.hold()  # as one whose first update was refused at once
    assert SKIPPED in built(bench)
    bench.hold(STACK)
    assert (command := built(bench))[0] == "up" and SKIPPED not in command
    assert "--policy-pack" in command


def test_one_in_which_something_is_pending_is_previewed(bench: Bench) -> None:
    begun = {"type": "updating", "resource": {"urn": STACK, "type": "pulumi:pulumi:Stack"}}
    bench.hold()
    path = state_path(bench.home.backend, "freehold", "tenant.prod.acme")
    path.write_text(json.dumps({"checkpoint": {"latest": {"pending_operations": [begun]}}}))
    assert SKIPPED not in built(bench)


def test_its_state_is_read_once_before_it_is_updated(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a bucket each look at it is a run of the engine."""
    read = Engine._state

    def looked(engine: Engine) -> StackState | None:
        bench.ran.order.append("state")
        return read(engine)

    monkeypatch.setattr(Engine, "_state", looked)
    bench.hold(STACK)
    built(bench)
    assert bench.ran.order == ["settle", "state", "up"]
