"""`freehold test` fails when any of its parts does, and tells wrong arguments from failing tests."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.home import CHECKOUT

RUN = """
import sys
from cli.test import run_all, run_pytest

sys.exit(run_pytest(sys.argv[1:]) if sys.argv[1:] else run_all())
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The part of this checkout that the command needs, with one good test."""
    for name in (
        "errors.py",
        "pyproject.toml",
        "cli/__init__.py",
        "cli/test.py",
        "cli/memory_folder.py",
        "sandbox/__init__.py",
        "sandbox/files.py",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(CHECKOUT / name, tmp_path / name)
    shutil.copy(CHECKOUT / "sandbox" / "home.py", tmp_path / "sandbox")
    shutil.copytree(CHECKOUT / "sandbox" / "toolchain", tmp_path / "sandbox" / "toolchain")
    (tmp_path / "tests").mkdir()
    for plugin in ("unresolved_outputs.py", "sandbox_marker.py"):
        shutil.copy(CHECKOUT / "tests" / plugin, tmp_path / "tests")
    (tmp_path / "tests" / "test_good.py").write_text("def test_good() -> None:\n    assert True\n", encoding="utf-8")
    return tmp_path


def run(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RUN, *arguments], cwd=checkout, capture_output=True, text=True, timeout=200, check=False
    )


def test_with_arguments_only_pytest_runs(checkout: Path) -> None:
    (checkout / "ugly.py").write_text("x=1", encoding="utf-8")
    good = run(checkout, "tests/test_good.py")
    assert good.returncode == 0, good.stdout
    assert "mypy" not in good.stdout and "ruff" not in good.stdout
    (checkout / "tests" / "test_bad.py").write_text("def test_bad() -> None:\n    assert not 1\n", encoding="utf-8")
    assert run(checkout, "-q").returncode == 1
    for wrong in (["-k", "no_such_test"], ["--no-such-option"]):
        assert run(checkout, *wrong).returncode == 2, wrong


def test_everything_is_run_and_pytest_s_closing_line_is_last(checkout: Path) -> None:
    answer = run(checkout)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    for name in ("ruff check: ok", "ruff format: ok", "mypy --strict: ok"):
        assert name in answer.stdout
    assert "1 passed" in answer.stdout.splitlines()[-1]


def test_a_wrong_type_or_style_fails_although_the_tests_pass(checkout: Path) -> None:
    (checkout / "wrong.py").write_text("import os\n\nx: int = 'one'\n", encoding="utf-8")
    answer = run(checkout)
    assert answer.returncode == 1
    assert "failed: ruff check, ruff format, mypy --strict" in answer.stderr
    assert "1 passed" in answer.stdout
