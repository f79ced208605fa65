"""What programs said of their versions is kept as long as they stay as they were."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path

import pytest

from sandbox.toolchain import versions


@pytest.fixture
def program(tmp_path: Path, own_cache: Path) -> Path:
    """This interpreter, under a name of the test's own."""
    versions.asked.cache_clear()
    return Path(shutil.copy2(os.path.realpath(sys.executable), tmp_path / "program"))


def broken(program: Path, later: int) -> None:
    """It runs no more; its size is as it was, and its time too where `later` is none."""
    was = program.stat()
    program.write_bytes(b"\x7fELF" + bytes(was.st_size - 4))
    os.utime(program, ns=(was.st_atime_ns, was.st_mtime_ns + later))
    versions.asked.cache_clear()  # as in another process


def test_a_program_is_asked_once_until_it_changes(program: Path) -> None:
    assert versions.remembered(program, ("--version",)) == platform.python_version()
    broken(program, later=0)
    assert versions.remembered(program, ("--version",)) == platform.python_version()
    assert versions.asked(program, ("--version",)) == ""
    broken(program, later=1)
    assert versions.remembered(program, ("--version",)) == ""


def test_what_it_said_to_another_question_is_no_answer(program: Path) -> None:
    assert versions.remembered(program, ("--version",)) == platform.python_version()
    assert versions.remembered(program, ("-c", "print('7.8.9')")) == "7.8.9"


def test_what_a_program_said_before_it_changed_is_forgotten(program: Path) -> None:
    versions.remembered(program, ("--version",))
    os.utime(program)
    versions.asked.cache_clear()
    versions.remembered(program, ("--version",))
    assert len(versions._kept()) == 1


def test_a_failure_is_not_kept(program: Path) -> None:
    assert versions.remembered(program, ("--no-such-flag",)) == ""
    assert not versions._file().exists()


def test_a_script_is_asked_each_time(tmp_path: Path, own_cache: Path) -> None:
    """A version manager's runs another program when the user chooses another."""
    script, chosen = tmp_path / "tool", tmp_path / "chosen"
    script.write_text(f"#!/bin/sh\ncat '{chosen}'\n")
    script.chmod(0o755)
    for version in ("1.2.3", "1.2.4"):
        chosen.write_text(f"tool {version}\n")
        versions.asked.cache_clear()
        assert versions.remembered(script, ("--version",)) == version


@pytest.mark.parametrize("kept", ["{", "[]", ""])
def test_what_cannot_be_read_is_asked_for(program: Path, kept: str) -> None:
    versions._file().parent.mkdir(parents=True)
    versions._file().write_text(kept)
    assert versions.remembered(program, ("--version",)) == platform.python_version()


def test_a_cache_that_cannot_be_written_is_done_without(program: Path) -> None:
    versions._file().parent.parent.mkdir(parents=True)
    versions._file().parent.write_text("a file in its place")
    assert versions.remembered(program, ("--version",)) == platform.python_version()
