"""What the file backend leaves of a killed engine, and the room on its disk: whose files are touched, and whose not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from errors import FreeholdError, TransientError
from fleet import backend_locks, disk
from fleet.backend_locks import BackendLock, clear_stale
from fleet.backend_sidecars import remove_broken
from fleet.disk import LOW_BYTES, room


@pytest.fixture
def locks(tmp_path: Path) -> Path:
    made = tmp_path / ".pulumi/locks/organization/freehold/dev"
    made.mkdir(parents=True)
    return made


def lock(folder: Path, name: str, *, pid: int, since: str = "2020-01-01T00:00:00Z") -> None:
    content = {"pid": pid, "username": "somebody", "hostname": os.uname().nodename, "timestamp": since}
    (folder / f"{name}.json").write_text(json.dumps(content))


def clear(backend: Path, cancel: Callable[[], object] = pytest.fail) -> list[str]:
    told: list[str] = []
    clear_stale(backend, "freehold", "dev", wait=0, cancel=cancel, tell=told.append, stop=lambda: None)
    return told


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def test_one_that_lives_is_seen_behind_those_that_are_dead(tmp_path: Path, locks: Path) -> None:
    """`pulumi cancel` takes away all that there are."""
    lock(locks, "1", pid=2**22 + 1)
    lock(locks, "2", pid=os.getpid(), since=now())
    with pytest.raises(TransientError, match=rf"^stack dev: locked by pulumi, process {os.getpid()} on ") as refused:
        clear(tmp_path)
    assert refused.value.mend.endswith(f"if process {os.getpid()} is no pulumi: pulumi cancel --stack dev")


def test_only_dead_ones_are_cancelled_once(tmp_path: Path, locks: Path) -> None:
    assert clear(tmp_path) == []
    lock(locks, "1", pid=2**22 + 1)
    cancelled: list[None] = []
    (line,) = clear(tmp_path, cancel=lambda: cancelled.append(None))
    assert line.startswith(f"stack dev: removing the lock of pulumi, process {2**22 + 1} on ")
    assert len(cancelled) == 1


def test_a_process_that_only_waits_to_be_reaped_holds_nothing(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not BackendLock(tmp_path, process.pid, os.uname().nodename, time.time()).held


def test_after_the_clock_was_set_back_another_of_its_number_is_no_holder(tmp_path: Path) -> None:
    """The clock says of every process that lives now that it began before the lock was taken."""
    host, later = os.uname().nodename, time.time() + 7200
    with subprocess.Popen(["sleep", "20"]) as process:
        assert not BackendLock(tmp_path, process.pid, host, later).held
        process.kill()
    engine = tmp_path / "pulumi"
    shutil.copy("/bin/sleep", engine)
    with subprocess.Popen([engine, "20"]) as process:
        assert BackendLock(tmp_path, process.pid, host, later).held
        process.kill()


@pytest.mark.parametrize("content", ["", '{"pid": 1', "[]", '{"pid": 1, "hostname": "here"}', '{"timestamp": 1}'])
def test_one_that_cannot_be_read_is_for_a_person(tmp_path: Path, locks: Path, content: str) -> None:
    (locks / "1.json").write_text(content)
    with pytest.raises(FreeholdError, match=r"1\.json: unreadable lock file; if no pulumi runs .*cancel --stack dev$"):
        clear(tmp_path)


def test_of_the_stacks_own_sidecars_the_broken_ones_go_and_nothing_else(tmp_path: Path, locks: Path) -> None:
    states = tmp_path / ".pulumi/stacks/freehold"
    states.mkdir(parents=True)
    broken = [states / "dev.json.attrs", states / "dev.json.bak.attrs", locks / "1.json.attrs"]
    kept = {
        states / "dev.json": "",
        states / "dev-2.json.attrs": "",
        states / "dev.json.gz.attrs": '{"user.content_type": "text/plain"}',
        locks / "1.json": "",
    }
    for path in broken:
        path.write_text('{"user.')
    for path, content in kept.items():
        path.write_text(content)
    assert set(remove_broken(tmp_path, "freehold", "dev")) == set(broken)
    assert {path: path.read_text() for folder in (states, locks) for path in folder.iterdir()} == kept
    assert remove_broken(tmp_path, "freehold", "dev") == []


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the disk has left."""
    left = [LOW_BYTES]
    monkeypatch.setattr(disk, "_free", lambda folder: left[0])
    return left


def test_a_run_has_a_reserve_of_its_states_size_until_it_ends(tmp_path: Path, free: list[int]) -> None:
    state, reserve = tmp_path / "dev.json", tmp_path / "backend/.reserve-dev"
    for size, least in ((0, 2**20), (2**20, 8 * 2**20)):
        state.write_bytes(b"x" * size)
        with room(tmp_path / "backend", state) as kept:
            assert reserve.stat().st_size >= least
            assert not kept.low
            free[0] -= 1
            assert kept.low
            kept.release()
            assert not reserve.exists()
        free[0] = LOW_BYTES
    with pytest.raises(ZeroDivisionError), room(tmp_path / "backend", state):
        raise ZeroDivisionError
    assert not reserve.exists()


def test_with_too_little_room_no_run_begins_and_what_a_killed_one_kept_is_free(tmp_path: Path, free: list[int]) -> None:
    free[0] = LOW_BYTES - 1
    said = r"no space left for the state: 8\.0 MiB, 8 MiB are kept free; free some"
    for name in ("dev.json", "dev.json.gz"):  # its state may have become compressed since
        (tmp_path / ".reserve-dev").write_bytes(b"x")
        with pytest.raises(FreeholdError, match=said), room(tmp_path, tmp_path / name):
            pytest.fail("it had begun")
        assert not (tmp_path / ".reserve-dev").exists()


def test_a_reserve_that_does_not_fit_is_given_back(
    tmp_path: Path, free: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(FreeholdError, match="no space left for the state"), room(tmp_path, tmp_path / "dev.json"):
        pytest.fail("it had begun")
    assert list(tmp_path.iterdir()) == []


def test_a_living_holder_is_waited_for_until_it_lets_go(
    tmp_path: Path, locks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend_locks, "_LOOK_SECONDS", 0.001)
    lock(locks, "1", pid=os.getpid(), since=now())
    looked, told = list[None](), list[str]()

    def stop() -> None:
        looked.append(None)
        if len(looked) == 3:
            (locks / "1.json").unlink()

    clear_stale(tmp_path, "freehold", "dev", wait=60, cancel=pytest.fail, tell=told.append, stop=stop)
    assert len(looked) == 3
    assert [line.partition(",")[0] for line in told] == ["stack dev: waiting for pulumi"]
