"""How many tenants a cell can hold follows from its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog import limits
from fleet import environments
from fleet.environments import Environment
from fleet.targets import Target
from sandbox.home import Home


@pytest.mark.parametrize(("redis", "most"), [("{machineType: m}", limits.tenants_maximum()), ("{usersMaximum: 5}", 2)])
def test_how_many_tenants_a_cell_can_hold(
    redis: str, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Pulumi.sandbox.yaml").write_text(f"config:\n  freehold:redis: {redis}\n")
    monkeypatch.setattr(environments, "CHECKOUT", tmp_path)
    assert Environment("sandbox", Target.SANDBOX, Home(tmp_path / "home"), {}).tenants_maximum == most
