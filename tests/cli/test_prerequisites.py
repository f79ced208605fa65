"""What an `up` needs is asked for before anything is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.prerequisites import require
from errors import FreeholdError
from fleet import environments
from fleet.environments import Environment, real
from fleet.targets import Target
from sandbox.home import Home

CONTROL = "freehold:control: {machineType: db.t4g.micro}"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With a bundle of authorities, and a folder of the operator's tools that holds all of them."""
    monkeypatch.setattr(environments, "CHECKOUT", tmp_path)
    monkeypatch.setattr(environments, "bin_directory", lambda: tmp_path / "toolchain")
    monkeypatch.delenv("PGSSLROOTCERT", raising=False)
    (tmp_path / "certificates").mkdir()
    (tmp_path / "certificates" / "rds.pem").write_text("certificates")
    (tmp_path / "bin").mkdir()
    for name in ("aws", "kubectl"):
        (tmp_path / "bin" / name).write_text("#!/bin/sh\n")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    _file(tmp_path, CONTROL)
    return tmp_path


def _file(checkout: Path, *config: str) -> None:
    lines = "".join(f"  {line}\n" for line in config)
    (checkout / "Pulumi.prod.yaml").write_text(f"config:\n  freehold:region: us-east-1\n{lines}")


def _prod(checkout: Path) -> Environment:
    return real("prod", Home(checkout / "home"))


def test_the_bundle_in_the_checkout_verifies_the_databases(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require(_prod(checkout))
    assert _prod(checkout).engine["PGSSLROOTCERT"] == str(checkout / "certificates" / "rds.pem")
    monkeypatch.setenv("PGSSLROOTCERT", str(checkout / "bin" / "aws"))
    assert _prod(checkout).engine["PGSSLROOTCERT"] == str(checkout / "bin" / "aws")


def test_without_a_bundle_it_is_said_where_to_have_it_from(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (checkout / "certificates" / "rds.pem").unlink()
    with pytest.raises(FreeholdError, match=r"PGSSLROOTCERT is not set: .*global-bundle\.pem to certificates/rds\.pem"):
        require(_prod(checkout))
    monkeypatch.setenv("PGSSLROOTCERT", str(checkout / "nowhere.pem"))
    with pytest.raises(FreeholdError, match=r"^PGSSLROOTCERT: .*/nowhere\.pem cannot be read; download https://"):
        require(_prod(checkout))


@pytest.mark.parametrize("tool", ["aws", "kubectl"])
def test_what_logs_in_to_the_cluster_is_on_path(checkout: Path, tool: str) -> None:
    (checkout / "bin" / tool).unlink()
    with pytest.raises(FreeholdError, match=rf"^{tool}: it is not on PATH; install"):
        require(_prod(checkout))


@pytest.mark.parametrize("value", ["false", '"false"'])
def test_from_outside_neither_databases_nor_cluster_are_opened(checkout: Path, value: str) -> None:
    for path in (checkout / "bin").iterdir():
        path.unlink()
    (checkout / "certificates" / "rds.pem").unlink()
    _file(checkout, CONTROL, f"freehold:insideNetwork: {value}")
    require(_prod(checkout))


@pytest.mark.parametrize("target", list(Target))
def test_a_cell_has_a_control_database_of_its_own(checkout: Path, target: Target) -> None:
    _file(checkout)
    with pytest.raises(
        FreeholdError, match=r"^Pulumi\.prod\.yaml: freehold:control is not set: each cell needs .*; set"
    ):
        require(Environment("prod", target, Home(checkout / "home"), {}))
    _file(checkout, CONTROL)
    require(Environment("prod", Target.SANDBOX, Home(checkout / "home"), {}))
