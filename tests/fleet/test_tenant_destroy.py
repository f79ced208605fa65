"""A tenant is deleted whether or not it can be built: nothing is built for it but what has to lose its protection."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from errors import FreeholdError
from fleet.engine import Engine
from fleet.environments import POLICIES, Environment
from fleet.events import Progress
from fleet.registry import Status, Tenant
from fleet.stack import Result, Stack
from fleet.stack_commands import StackCommands
from fleet.stack_files import read_stack_file
from fleet.state_files import state_path
from fleet.targets import Target
from fleet.tenants import Tenants
from sandbox.home import Home
from tests.fleet.samples import tenant

STACK = "urn:pulumi:tenant.prod.acme::freehold::pulumi:pulumi:Stack::freehold-tenant.prod.acme"
SCHEMA = "urn:pulumi:tenant.prod.acme::freehold::postgresql:index/schema:Schema::acme-database-schema"
ROLE = "urn:pulumi:tenant.prod.acme::freehold::postgresql:index/role:Role::acme-database-role"
DESTROYED = ("destroy", "false", "--yes", "--skip-preview")


@dataclass
class Ran:
    commands: list[tuple[str, ...]] = field(default_factory=list)
    """What would be run: each command, what the stack's file says of protection then, and the flags."""
    refused: tuple[str, ...] = ()
    """Commands that fail."""
    order: list[str] = field(default_factory=list)
    """Of all that is done, what is shared among it."""


class Recording(Engine):
    """Decides by the state, and runs nothing."""

    ran: Ran

    def _operation(self, command: str, *flags: str) -> Result:
        config: Mapping[str, Any] = read_stack_file(self._path)["config"]
        self.ran.commands.append((command, config["freehold:protect"], *flags))
        self.ran.order.append(command)
        if command in self.ran.refused:
            raise FreeholdError("over the quota")
        return Result(self.stack.name, command, Progress(), 0.0, None)


@dataclass(frozen=True)
class RecordingCommands(StackCommands):
    ran: Ran = field(default_factory=Ran)

    def _run(self, *command: str, given: str = "", anyway: bool = False) -> str:
        # With the salt, without which the engine reads no state.
        assert (self.stack.workdir / f"Pulumi.{self.stack.name}.yaml").exists()
        self.ran.order.append(" ".join(command[:2]))
        return ""


class Bench:
    """A tenant of prod, where everything is protected, with its state in files."""

    def __init__(self, home: Home) -> None:
        self.home, self.ran = home, Ran()
        self.environment = {"PULUMI_BACKEND_URL": f"file://{home.backend}"}
        self.tenants = Tenants(Environment("prod", Target.CLOUD, home, self.environment), self._engine, self)

    def _engine(self, stack: Stack) -> Engine:
        engine = Recording(self.home, stack, tell=print, policies=POLICIES)
        engine.ran = self.ran
        engine._commands = RecordingCommands(stack, engine._log, engine._interrupts, engine._stop_if_asked, self.ran)
        return engine

    def settle(self, tenant: Tenant) -> None:
        self.ran.order.append("settle")

    def remove_leftovers(self, tenant: Tenant) -> None:
        self.ran.order.append("leftovers")

    def hold(self, *urns: str, protected: tuple[str, ...] = ()) -> None:
        """Write the stack's state."""
        resources = [{"urn": urn, "type": urn.split("::")[2], "protect": urn in protected} for urn in urns]
        path = state_path(self.home.backend, "freehold", "tenant.prod.acme")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"checkpoint": {"latest": {"resources": resources}}}))

    def destroy(self) -> None:
        self.tenants.destroy(tenant("acme", cell="prod", status=Status.DELETING))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(Home(tmp_path))


def test_what_was_never_built_is_not_built_to_be_deleted(bench: Bench) -> None:
    bench.destroy()
    assert bench.ran.commands == [DESTROYED]


def test_leftovers_go_after_the_tenants_ways_to_them_and_before_its_stack_is_forgotten(bench: Bench) -> None:
    """Cut off before its leftovers are gone, the deletion still has a stack to begin again with."""
    bench.hold(STACK)
    bench.destroy()
    assert bench.ran.order == ["settle", "destroy", "leftovers", "stack rm"]
    assert not (bench.home.tenants / "prod/acme").exists()


@pytest.mark.parametrize("held", [(), (STACK,), (STACK, ROLE)])
def test_what_cannot_be_built_and_holds_nothing_protected_is_destroyed(bench: Bench, held: tuple[str, ...]) -> None:
    bench.hold(*held)
    bench.ran.refused = ("up",)
    bench.destroy()
    assert bench.ran.commands == [DESTROYED]


def test_only_what_is_protected_is_updated_without_policies_and_then_all_is_destroyed(bench: Bench) -> None:
    bench.hold(STACK, ROLE, SCHEMA, protected=(SCHEMA,))
    bench.destroy()
    assert bench.ran.commands == [("up", "false", "--yes", "--skip-preview", "--target", SCHEMA), DESTROYED]


def test_nothing_is_destroyed_where_protection_stays(bench: Bench) -> None:
    bench.hold(STACK, ROLE, SCHEMA, protected=(SCHEMA,))
    bench.ran.refused = ("up",)
    with pytest.raises(FreeholdError, match="over the quota"):
        bench.destroy()
    assert [command for command, *_ in bench.ran.commands] == ["up"]
