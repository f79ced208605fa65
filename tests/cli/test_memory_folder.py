"""Tests write to memory where there is room, and what an ended run left goes with the next."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli import memory_folder as subject
from cli.memory_folder import memory_folder


@pytest.fixture(autouse=True)
def _any_machine_has_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setattr(subject, "FOLDER_BYTES", 0)
    monkeypatch.setattr(subject, "MEMORY_BYTES", 0)


@pytest.fixture
def no_limits(tmp_path: Path) -> Path:
    """A control group that says nothing."""
    return tmp_path / "group"


def test_what_a_run_left_is_there_until_the_next_and_runs_at_work_keep_theirs(tmp_path: Path, no_limits: Path) -> None:
    with memory_folder(tmp_path, no_limits) as ended:
        assert ended is not None and ended.is_dir() and ended.stat().st_mode & 0o077 == 0
        (ended / "state").write_text("of a test that failed")
    assert (ended / "state").exists()
    with memory_folder(tmp_path, no_limits) as first:
        assert first is not None
        assert not ended.exists()
        with memory_folder(tmp_path, no_limits) as second:
            assert second is not None
            assert first.is_dir() and second.is_dir() and first != second


def test_a_folder_that_the_user_has_chosen_is_kept(
    tmp_path: Path, no_limits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", "/somewhere")
    with memory_folder(tmp_path, no_limits) as made:
        assert made is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("short", ["FOLDER_BYTES", "MEMORY_BYTES"])
def test_without_room_the_tests_write_elsewhere(
    tmp_path: Path, no_limits: Path, monkeypatch: pytest.MonkeyPatch, short: str
) -> None:
    monkeypatch.setattr(subject, short, 1 << 62)
    with memory_folder(tmp_path, no_limits) as made:
        assert made is None


@pytest.mark.parametrize("names", subject._LIMITS)
def test_what_the_control_group_may_still_take_counts(
    tmp_path: Path, no_limits: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, str]
) -> None:
    monkeypatch.setattr(subject, "MEMORY_BYTES", 1000)
    for name, value in zip(names, ("5000", "4001"), strict=True):
        (no_limits / name).parent.mkdir(parents=True, exist_ok=True)
        (no_limits / name).write_text(f"{value}\n")
    with memory_folder(tmp_path, no_limits) as made:
        assert made is None
    for unlimited in ("5001", "max"):
        (no_limits / names[0]).write_text(f"{unlimited}\n")
        with memory_folder(tmp_path, no_limits) as made:
            assert made is not None


def test_where_the_folder_is_not_one_s_own_the_tests_write_elsewhere(tmp_path: Path, no_limits: Path) -> None:
    with memory_folder(tmp_path, no_limits) as made:
        assert made is not None
    own = made.parent
    made.rmdir()
    own.rmdir()
    (tmp_path / "another's").mkdir()
    own.symlink_to(tmp_path / "another's")
    with memory_folder(tmp_path, no_limits) as again:
        assert again is None
    assert list((tmp_path / "another's").iterdir()) == []
    with memory_folder(tmp_path / "nothing", no_limits) as nowhere:
        assert nowhere is None
