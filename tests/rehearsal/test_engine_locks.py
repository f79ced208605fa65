"""Engine runs that meet each other: who waits for whom, for how long, and whose lock is left alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from errors import FreeholdError, TransientError
from fleet.backend_locks import BackendLock, clear_stale
from fleet.disk import room
from fleet.interrupts import Interrupted
from fleet.locks import locked
from fleet.state_files import state_path
from tests.rehearsal.freehold import until
from tests.rehearsal.trivial import Trivial, spawn

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(600)]


def test_the_second_run_waits_and_says_for_whom(trivial: Trivial) -> None:
    first = spawn(trivial.folder, HELD="1")
    until(lambda: trivial.begun("shelf-0"))
    letting_go = when_told(trivial, f"waiting for process {first.pid} (`", trivial.let_go)
    assert trivial.engine().up().progress.changes == {"same": 5}
    letting_go.join()
    first.join()
    assert first.exitcode == 0


def test_a_bounded_wait_ends_with_the_holder_named(trivial: Trivial) -> None:
    first = spawn(trivial.folder, HELD="1")
    until(lambda: trivial.begun("shelf-0"))
    with pytest.raises(FreeholdError, match=rf"^stack dev: held by process {first.pid} \(`.+`, since .*waiting 1 s"):
        trivial.engine(wait=1).up()
    trivial.let_go()
    first.join()
    assert first.exitcode == 0


def test_who_waits_leaves_the_room_of_the_run_that_it_waits_for(trivial: Trivial) -> None:
    with (
        locked(trivial.home.run / "stack-dev.lock", "stack dev", wait=0, tell=print, stop=lambda: None),
        room(trivial.home.backend, state_path(trivial.home.backend, "trivial", "dev")),
    ):
        reserve = trivial.home.backend / ".reserve-dev"
        assert reserve.exists()
        with pytest.raises(TransientError, match=rf"^stack dev: held by process {os.getpid()} "):
            trivial.engine(wait=0).up()
        assert reserve.exists()


def lock_of_this_process(trivial: Trivial, since: str) -> Path:
    """The backend's lock on the stack, as an engine leaves it there that runs as this process."""
    path = trivial.home.backend / ".pulumi/locks/organization/trivial/dev/11111111-1111-1111-1111-111111111111.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = {"pid": os.getpid(), "username": "somebody", "hostname": os.uname().nodename, "timestamp": since}
    path.write_text(json.dumps(lock))
    return path


def test_a_living_engine_s_lock_is_left_alone(trivial: Trivial) -> None:
    trivial.engine().up()
    path = lock_of_this_process(trivial, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
    with pytest.raises(FreeholdError, match=rf"^stack dev: locked by pulumi, process {os.getpid()} on .*let it finish"):
        trivial.engine(wait=0.5).up()
    assert list(path.parent.glob("*.json"))
    # The same lock of a process that died: a pid that is free, or was given to a younger process.
    lock_of_this_process(trivial, "2020-01-01T00:00:00Z")
    trivial.engine(wait=0.5).up()
    assert not list(path.parent.glob("*.json"))


def test_a_lock_of_another_host_is_left_alone_and_the_mend_is_told(tmp_path: Path) -> None:
    """Nobody here can tell whether its process lives, as where a container comes back under another name."""
    folder = tmp_path / ".pulumi/locks/organization/trivial/dev"
    folder.mkdir(parents=True)
    lock = {"pid": os.getpid(), "username": "somebody", "hostname": "another", "timestamp": "2020-01-01T00:00:00Z"}
    (folder / "11111111-1111-1111-1111-111111111111.json").write_text(json.dumps(lock))
    cancelled: list[str] = []
    mend = r"let it finish; if no pulumi runs on that host: pulumi cancel --stack dev$"
    with pytest.raises(
        TransientError, match=rf"^stack dev: locked by pulumi, process {os.getpid()} on another .*{mend}"
    ):
        clear_stale(
            tmp_path, "trivial", "dev", wait=0, cancel=lambda: cancelled.append("dev"), tell=print, stop=lambda: None
        )
    assert not cancelled


def when_told(trivial: Trivial, line: str, act: Callable[[], None]) -> threading.Thread:
    """Acts as soon as `line` is told."""

    def wait() -> None:
        until(lambda: any(line in told for told in trivial.told))
        act()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def press() -> None:
    """Ctrl-C."""
    os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_ends_the_waiting_for_another_run(trivial: Trivial) -> None:
    first = spawn(trivial.folder, HELD="1")
    until(lambda: trivial.begun("shelf-0"))
    pressing = when_told(trivial, f"waiting for process {first.pid} (`", press)
    with pytest.raises(Interrupted, match=r"^stack dev: interrupted; run it again"):
        trivial.engine(wait=10).up()
    pressing.join()
    assert first.is_alive()
    trivial.let_go()
    first.join()
    assert first.exitcode == 0


def test_ctrl_c_ends_the_waiting_for_an_engine_that_lives(trivial: Trivial) -> None:
    trivial.engine().up()
    path = lock_of_this_process(trivial, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
    pressing = when_told(trivial, f"waiting for pulumi, process {os.getpid()} on", press)
    with pytest.raises(Interrupted, match=r"^stack dev: interrupted; run it again"):
        trivial.engine(wait=10).up()
    pressing.join()
    assert list(path.parent.glob("*.json"))


def test_an_engine_holds_its_lock_whatever_the_clock_is_set_to(tmp_path: Path) -> None:
    engine = tmp_path / "pulumi"
    engine.symlink_to("/bin/sleep")
    with subprocess.Popen([engine, "60"]) as process:
        until(lambda: psutil.Process(process.pid).name() == "pulumi")
        # Taken an hour before its process began, as it seems now.
        lock = BackendLock(tmp_path / "lock.json", process.pid, os.uname().nodename, time.time() - 3600)
        assert lock.held
        process.kill()
        process.wait()
        assert not lock.held
