"""Commands that only look leave the control database as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from cli import opening
from cli.app import app
from errors import FreeholdError
from fleet import migrations
from tests.cli.test_destroy import environment, state
from tests.fleet.test_control_database import Cell
from tests.temporary_sandbox import Sandbox

pytestmark = pytest.mark.sandbox

COMMANDS = ("status", "tenant list", "tenant show acme", "fleet status", "budget show")


@pytest.mark.parametrize("command", COMMANDS)
def test_no_schema_is_made(
    sandbox: Sandbox, empty_database: sa.URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    exported = Cell(sandbox, empty_database, {}).contract()
    here = environment(tmp_path, **sandbox.environment)
    monkeypatch.setattr(opening, "open_environment", lambda *_, **__: here)
    monkeypatch.setattr(opening, "platform_state", lambda _: state(exported, "control"))
    monkeypatch.setattr(opening, "check_account", lambda *_: None)
    ended = CliRunner().invoke(app, command.split())
    assert isinstance(ended.exception, FreeholdError), ended.output
    assert "its schema is at revision None, and this release reads" in ended.exception.line()
    engine = sa.create_engine(empty_database)
    with engine.connect() as connection:
        assert migrations.current(connection) is None
    engine.dispose()
