"""`--version` says which release this is, and which schema and engine belong to it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import version
from cli.app import app
from fleet.migrations import HEAD


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n')
    monkeypatch.setattr(version, "CHECKOUT", tmp_path)
    return tmp_path


def git(checkout: Path, *arguments: str) -> str:
    person = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    run = subprocess.run(("git", "-C", checkout, *person, *arguments), capture_output=True, text=True, check=True)
    return run.stdout.strip()


def test_each_is_a_line_of_name_and_value() -> None:
    run = CliRunner().invoke(app, ["--version"])
    assert run.exit_code == 0, run.output
    told = dict(line.split(" ") for line in run.stdout.splitlines())
    assert list(told) == ["freehold", "schema", "engine"]
    assert told["schema"] == HEAD
    assert re.fullmatch(r"3\.\d+\.\d+", told["engine"])


def test_a_checkout_is_what_git_calls_it(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(checkout, "init", "-q")
    git(checkout, "add", ".")
    git(checkout, "commit", "-qm", "one")
    commit = git(checkout, "rev-parse", "--short", "HEAD")
    monkeypatch.setenv("GIT_DIR", "/nowhere")  # as in a hook of another one
    assert version.release() == commit
    (checkout / "pyproject.toml").write_text("")
    assert version.release().endswith("-dirty")


def test_without_git_it_is_the_version_of_the_packages(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert version.release() == "1.2.3"
    (checkout / ".git").mkdir()  # which git does not take for one
    assert version.release() == "1.2.3"
    monkeypatch.setenv("PATH", str(checkout))
    assert version.release() == "1.2.3"
