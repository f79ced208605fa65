"""What `sandbox reset` deletes, and what a full disk does to what a command prints."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.sandbox import _delete, _size
from errors import FreeholdError


def test_two_resets_at_once_delete_it_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "data"
    (folder / "one").mkdir(parents=True)
    (folder / "other").mkdir()
    really = shutil.rmtree

    def overtaken(path: Path) -> None:
        monkeypatch.setattr(shutil, "rmtree", really)
        (folder / "one").rmdir()
        raise FileNotFoundError(2, "No such file or directory", "one")

    monkeypatch.setattr(shutil, "rmtree", overtaken)
    _delete(folder)
    assert not folder.exists()
    _delete(folder)


def test_what_a_link_leads_to_stays(tmp_path: Path) -> None:
    kept = tmp_path / "elsewhere"
    kept.mkdir()
    (tmp_path / "data").symlink_to(kept)
    _delete(tmp_path / "data")
    assert os.listdir(tmp_path) == ["elsewhere"]


def test_what_cannot_be_deleted_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(shutil, "rmtree", refused)
    with pytest.raises(FreeholdError, match=f"^{tmp_path}: cannot write: Permission denied; "):
        _delete(tmp_path)


def test_a_folder_of_somebody_else_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path, _: str) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "rglob", refused)
    with pytest.raises(FreeholdError, match=f"^{tmp_path}: cannot read: Permission denied; "):
        _size(tmp_path)


def test_an_output_on_a_full_disk_is_told_in_one_line(tmp_path: Path) -> None:
    environment = {**os.environ, "FREEHOLD_HOME": str(tmp_path)}
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "cli", "sandbox", "caught"]
        run = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=environment, check=False)
    told = "freehold: standard output: cannot write: No space left on device; free some space\n"
    assert (run.returncode, run.stderr) == (1, told)
