"""A platform that holds tenants is not destroyed, whoever has made them and wherever."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from cli import opening, platform
from cli.app import app
from cli.platform import require_no_tenants
from errors import FreeholdError
from fleet.control_database import control_database
from fleet.environments import Environment
from fleet.registry import Registry
from fleet.state import StackState
from fleet.targets import Target
from sandbox.home import Home
from stacks.contract import OUTPUT, PlatformContract
from tests.fleet.contracts import contract
from tests.fleet.samples import CELL, add_tenants
from tests.fleet.test_control_database import Cell
from tests.temporary_sandbox import Sandbox

SERVER = {"port": 5432, **dict.fromkeys(("identifier", "host", "database", "admin_secret"), "control")}


def state(exported: PlatformContract | None, *identifiers: str) -> StackState:
    """With database instances of these identifiers."""
    outputs = {} if exported is None else {OUTPUT: exported.model_dump(mode="json")}
    root = {"urn": "urn:pulumi:prod::freehold::pulumi:pulumi:Stack::s", "type": "pulumi:pulumi:Stack"}
    kind = "aws:rds/instance:Instance"
    return StackState(
        (
            {**root, "outputs": outputs},
            *(
                {"urn": f"urn:pulumi:prod::freehold::{kind}::{one}", "type": kind, "custom": True,
                 "outputs": {"identifier": one}}
                for one in identifiers
            ),
        )
    )  # fmt: skip


def environment(folder: Path, cell: str = CELL, **variables: str) -> Environment:
    """In the cloud, from a machine where no tenant was ever built."""
    return Environment(cell, Target.CLOUD, Home(folder), variables)


@pytest.mark.sandbox
def test_tenants_that_another_machine_has_built_are_seen(
    sandbox: Sandbox, empty_database: sa.URL, tmp_path: Path
) -> None:
    exported = Cell(sandbox, empty_database, {}).contract()
    here = environment(tmp_path, **sandbox.environment)
    require_no_tenants(here, state(exported, "control"))
    database = control_database(exported, sandbox.environment)
    add_tenants(database, "acme", "globex")
    add_tenants(database, "initech", cell="another")
    with pytest.raises(FreeholdError, match=r"^environment sandbox: it still holds acme, globex; delete each first: "):
        require_no_tenants(here, state(exported, "control"))
    for name in ("acme", "globex"):
        Registry(database).deleted(name)
    require_no_tenants(here, state(exported, "control"))
    database.dispose()


def test_a_registry_that_does_not_answer_is_no_empty_one(tmp_path: Path) -> None:
    exported = contract(database={"tenants": SERVER, "control": SERVER})
    with pytest.raises(FreeholdError, match=r"^environment sandbox: whether it still .*--without-registry$"):
        require_no_tenants(environment(tmp_path), state(exported, "control"))


def test_what_has_no_registry_holds_no_tenants(tmp_path: Path) -> None:
    exported = contract(database={"tenants": SERVER, "control": SERVER})
    here = environment(tmp_path)
    require_no_tenants(here, None)
    require_no_tenants(here, state(None, "control"))  # never built to its end
    require_no_tenants(here, state(exported, "postgres"))  # destroyed by half


def test_a_cell_that_shares_a_registry_is_known_by_the_folders_of_its_tenants(tmp_path: Path) -> None:
    exported = contract(database={"tenants": SERVER, "control": None})
    here = environment(tmp_path, "prod")
    require_no_tenants(here, state(exported))
    (here.home.tenants / "prod" / "acme").mkdir(parents=True)
    with pytest.raises(FreeholdError, match=r"holds acme; .*--yes-delete-data acme --env prod --target cloud$"):
        require_no_tenants(here, state(exported))


class Begun(Exception):
    """The engine would delete it now."""


@pytest.mark.parametrize(("options", "asked"), [((), True), (("--without-registry",), False)])
def test_the_command_asks_for_tenants_before_its_engine_begins(
    options: tuple[str, ...], asked: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begun(*_: object) -> NoReturn:
        raise Begun

    def held(*_: object) -> NoReturn:
        raise FreeholdError("it still holds acme")

    monkeypatch.setattr(opening, "open_environment", lambda *_, **__: environment(tmp_path, "prod"))
    monkeypatch.setattr(opening, "platform_state", lambda _: None)
    monkeypatch.setattr(opening, "check_account", lambda *_: None)
    monkeypatch.setattr(opening, "engine_maker", begun)
    monkeypatch.setattr(platform, "require_no_tenants", held)
    run = CliRunner().invoke(app, ["destroy", "prod", "--target", "cloud", "--yes", *options])
    assert isinstance(run.exception, FreeholdError if asked else Begun), run.output
