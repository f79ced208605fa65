"""Which program builds the tenants: its version changes with what decides their resources, and with nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fleet import program
from fleet.program import program_version, runner_version

_FILES = {
    "pyproject.toml": '[project]\nversion = "1.2.3"\n',
    "__main__.py": "main()\n",
    "stacks/tenant.py": "run()\n",
    "stacks/deep/er.yaml": "a: 1\n",
    "fleet/queue.py": "claim()\n",
}


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in _FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(program, "CHECKOUT", tmp_path)
    monkeypatch.setattr(program, "_PROJECT", str(tmp_path / "pyproject.toml"))
    return tmp_path


def _edit(path: Path, text: str) -> None:
    """And set its time back, as `tar` and `cp -p` do."""
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.stat() if path.exists() else None
    path.write_text(text)
    while before is not None and path.stat().st_ctime_ns == before.st_ctime_ns:
        path.write_text(text)  # the file system's clock is coarse
    if before is not None:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("stacks/tenant.py", "ruin\n"),
        ("stacks/tenant.py", "runs\n"),
        ("stacks/deep/er.yaml", "a: 2\n"),
        ("components/new.py", "\n"),
        ("pyproject.toml", '[project]\nversion = "1.2.4"\n'),
    ],
    ids=["shorter", "as long", "below", "another", "version"],
)
def test_an_edit_makes_another_version(checkout: Path, name: str, text: str) -> None:
    before = program_version()
    _edit(checkout / name, text)
    assert program_version() != before
    assert program_version().startswith("1.2.4+" if "1.2.4" in text else "1.2.3+")


def test_one_taken_away_makes_another_version_and_put_back_the_same(checkout: Path) -> None:
    before = program_version()
    (checkout / "stacks/tenant.py").rename(checkout / "elsewhere.py")
    assert program_version() != before
    (checkout / "elsewhere.py").rename(checkout / "stacks/tenant.py")
    assert program_version() == before


def test_what_is_no_part_of_it_changes_nothing(checkout: Path) -> None:
    before = program_version()
    _edit(checkout / "stacks/notes.txt", "remember")
    _edit(checkout / "docs/deploy.py", "")
    assert program_version() == before


def test_the_runner_s_own_code_is_of_its_version_and_not_of_the_tenants(checkout: Path) -> None:
    tenants, runner = program_version(), runner_version()
    _edit(checkout / "fleet/queue.py", "claim_one()\n")
    assert (program_version(), runner_version() != runner) == (tenants, True)


def test_a_file_that_was_only_touched_makes_the_same_version(checkout: Path) -> None:
    before = program_version()
    os.utime(checkout / "stacks/tenant.py", ns=(1, 1))
    assert program_version() == before
