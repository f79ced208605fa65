"""Where a create was cut off, a tenant's stack is run as it was wanted then, before it is run as it is wanted now."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from errors import FreeholdError, TransientError
from fleet.engine import Engine
from fleet.environments import Environment
from fleet.events import Progress
from fleet.registry import Status, Tenant
from fleet.stack import Result, Stack
from fleet.stack_files import read_stack_file
from fleet.targets import Target
from fleet.tenants import Tenants
from sandbox.home import Home
from sandbox.providers.creations import Creations
from tests.fleet.samples import tenant

URN = "urn:pulumi:tenant.sandbox.acme::freehold::aws:iam/role:Role::acme"


class Recording(Engine):
    """Runs nothing: keeps what would be run, with the plan that the file on disk has then."""

    ran: list[tuple[str, str]]
    failure: FreeholdError | None = None

    def _record(self, command: str) -> Result:
        config: Mapping[str, Any] = read_stack_file(self._path)["config"]
        self.ran.append((command, config["freehold:tenant"]["plan"]))
        if self.failure is not None and len(self.ran) == 1:
            raise self.failure
        return Result(self.stack.name, command, Progress(), 0.0, None)

    def up(self, *, preview_new: bool = True) -> Result:
        return self._record("up")

    def unprotect(self) -> None:
        pass

    def destroy(self) -> Result:
        return self._record("destroy")

    def remove(self) -> None:
        pass


class Bench:
    def __init__(self, home: Home) -> None:
        self.home = home
        self.told: list[str] = []
        self.ran: list[tuple[str, str]] = []
        self.failure: FreeholdError | None = None
        self.settled: list[int] = []
        """After how many runs it was."""
        self.tenants = Tenants(Environment("sandbox", Target.SANDBOX, home, {}), self._engine, self)

    def _engine(self, stack: Stack) -> Engine:
        engine = Recording(self.home, stack, tell=self.told.append)
        engine.ran, engine.failure = self.ran, self.failure
        return engine

    def settle(self, tenant: Tenant) -> None:
        self.settled.append(len(self.ran))

    def remove_leftovers(self, tenant: Tenant) -> None:
        self.ran.append(("remove leftovers", tenant.id))

    def cut_off(self) -> None:
        """A create of a host that is gone."""
        with Creations(self.home) as creations:
            gone = (URN, 2**22 + 1, 1.0, "11111111-1111-1111-1111-111111111111")
            creations._database.execute("INSERT INTO under_way (urn, host, started, serial) VALUES (?, ?, ?, ?)", gone)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(Home(tmp_path))
    bench.tenants.build(tenant("acme", plan="pro"))
    bench.ran.clear()
    bench.settled.clear()
    return bench


def test_nothing_more_is_run_where_nothing_was_cut_off(bench: Bench) -> None:
    bench.tenants.build(tenant("acme", plan="starter"))
    assert bench.ran == [("up", "starter")]


def test_the_earlier_wish_first_then_the_new_one(bench: Bench) -> None:
    bench.cut_off()
    bench.tenants.build(tenant("acme", plan="starter"))
    assert bench.ran == [("up", "pro"), ("up", "starter")]
    assert bench.settled == [0]
    assert bench.told == ["stack tenant.sandbox.acme: the provider died while it made acme; running it once more"]


def test_the_same_wish_is_run_once(bench: Bench) -> None:
    bench.cut_off()
    bench.tenants.build(tenant("acme", plan="pro"))
    assert bench.ran == [("up", "pro")]


def test_the_earlier_wish_before_a_destroy_too(bench: Bench) -> None:
    bench.cut_off()
    bench.tenants.destroy(tenant("acme", plan="pro", status=Status.DELETING))
    assert bench.ran[:2] == [("up", "pro"), ("destroy", "pro")]
    assert bench.settled == [0]


def test_what_no_stack_holds_goes_when_the_stack_is_destroyed(bench: Bench) -> None:
    bench.tenants.destroy(tenant("acme", plan="pro", status=Status.DELETING))
    assert bench.ran == [("destroy", "pro"), ("remove leftovers", "acme")]


def test_an_earlier_wish_that_cannot_be_built_is_in_nobodys_way(bench: Bench) -> None:
    bench.cut_off()
    bench.failure = FreeholdError("over the quota")
    bench.tenants.build(tenant("acme", plan="starter"))
    assert bench.ran == [("up", "pro"), ("up", "starter")]
    assert bench.told[-1] == "over the quota"


def test_what_may_pass_is_tried_again_and_the_earlier_wish_is_still_known(bench: Bench) -> None:
    bench.cut_off()
    bench.failure = TransientError("connection refused")
    with pytest.raises(TransientError):
        bench.tenants.build(tenant("acme", plan="starter"))
    bench.ran.clear()
    bench.failure = None
    bench.tenants.build(tenant("acme", plan="starter"))
    assert bench.ran == [("up", "pro"), ("up", "starter")]
