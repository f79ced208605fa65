"""`freehold env` makes a shell in which the ordinary tools work on real environments."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.app import app
from errors import UsageError
from fleet import environments
from sandbox import toolchain


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Its toolchain lies in a folder with a blank in its name."""
    monkeypatch.setattr(environments, "CHECKOUT", tmp_path)
    monkeypatch.setattr(environments, "bin_directory", lambda: tmp_path / "the tools")
    monkeypatch.setattr(toolchain, "ensure", lambda names: None)
    monkeypatch.setenv("FREEHOLD_HOME", str(tmp_path / "home"))
    for name in ("AWS_ENDPOINT_URL", "PULUMI_HOME", "PGSSLROOTCERT"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "Pulumi.prod.yaml").touch()
    (tmp_path / "certificates").mkdir()
    (tmp_path / "certificates" / "rds.pem").touch()
    return tmp_path


def test_a_shell_takes_it(checkout: Path) -> None:
    run = CliRunner().invoke(app, ["env"], catch_exceptions=False)
    script = f'{run.stdout}echo "$PATH"; echo "$PGSSLROOTCERT"'
    shell = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)
    path, authority = shell.stdout.splitlines()
    assert path.split(os.pathsep)[0] == str(checkout / "the tools")
    assert authority == str(checkout / "certificates" / "rds.pem")
    assert "AWS_" not in run.stdout


def test_a_shell_of_the_sandbox_does_not_become_a_real_one(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(UsageError, match="this shell is the sandbox's"):
        CliRunner().invoke(app, ["env"], catch_exceptions=False)
