"""A tenant is refused before anything is built where its cell is full."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from catalog import limits
from catalog.plans import Tier
from errors import UsageError
from fleet import environments
from fleet.environments import Environment
from fleet.registry import Wanted
from fleet.targets import Target
from fleet.tenants import Request, Tenants
from sandbox.home import Home


class _Registry:
    """Holds `present` tenants of the bridge tier, one of another tier, and remembers what is added."""

    def __init__(self, present: int) -> None:
        rows = [SimpleNamespace(id=f"t{number}", tier=Tier.BRIDGE) for number in range(present)]
        self._rows: list[Any] = [*rows, SimpleNamespace(id="pooled", tier=Tier.POOL)]
        self.added: list[str] = []

    def list(self, *, cell: str) -> Sequence[Any]:
        return self._rows

    def add(self, wanted: Wanted) -> Any:
        self.added.append(wanted.id)
        return wanted


def _tenants(registry: _Registry, checkout: Path, redis: str, monkeypatch: pytest.MonkeyPatch) -> Tenants:
    (checkout / "Pulumi.sandbox.yaml").write_text(f"config:\n  freehold:redis: {redis}\n")
    monkeypatch.setattr(environments, "CHECKOUT", checkout)
    environment = Environment("sandbox", Target.SANDBOX, Home(checkout / "home"), {})
    made: Any = Tenants(environment, "chronos-cloud", "us-east-1", registry, None)  # type: ignore[arg-type]
    return made  # type: ignore[no-any-return]


@pytest.mark.parametrize(("redis", "most"), [("{machineType: m}", limits.tenants_maximum()), ("{usersMaximum: 5}", 3)])
def test_a_full_cell_takes_no_further_tenant(
    redis: str, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = Request("another", "starter")
    nearly = _Registry(most - 1)
    _tenants(nearly, tmp_path, redis, monkeypatch).add(request)
    assert nearly.added == ["another"]
    full = _Registry(most)
    with pytest.raises(UsageError, match=rf"cell sandbox: it holds {most} tenants, .*; choose another cell"):
        try:
            _tenants(full, tmp_path, redis, monkeypatch).add(request)
        except UsageError as error:
            raise UsageError(error.line()) from error
    assert full.added == []
    # Whoever is there already is told so by the registry.
    _tenants(full, tmp_path, redis, monkeypatch).add(Request("t0", "starter"))
