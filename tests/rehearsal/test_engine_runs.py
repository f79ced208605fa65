"""Engine runs with the real engine: progress, failures in one line, locks, kill -9, Ctrl-C."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from errors import FreeholdError, TransientError
from fleet.backend_locks import BackendLock, clear_stale
from fleet.disk import room
from fleet.engine_runs import EngineRun, end_orphans, new_token, recorded, require_idle
from fleet.interrupts import Interrupted, Interrupts
from fleet.locks import locked
from fleet.processes import RUN_VARIABLE
from fleet.state import read_state, state_path
from sandbox.providers.creations import Creations
from sandbox.supervisor.pidfile import ProcessIdentity
from tests.rehearsal.engine import sdks
from tests.rehearsal.trivial import Trivial

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(600)]

URN = "urn:pulumi:dev::trivial::test:index:Shelf$pulumi-python:dynamic:Resource::shelf-{}"


@pytest.fixture
def trivial(tmp_path: Path) -> Trivial:
    return Trivial(tmp_path, sdks())


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


def living(folder: Path) -> list[psutil.Process]:
    """The processes of any engine run whose state lies in `folder`."""
    found = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
            if RUN_VARIABLE in environment and environment.get("PULUMI_BACKEND_URL", "").endswith(
                f"{folder}/home/backend"
            ):
                found.append(process)
        except psutil.Error:
            continue
    return [process for process in found if process.status() != psutil.STATUS_ZOMBIE]


def run_up(folder: Path, **environment: Any) -> None:
    """An `up` in a process that can be killed."""
    Trivial(folder).engine(**environment).up()


def spawn(folder: Path, **environment: str) -> multiprocessing.process.BaseProcess:
    process = multiprocessing.get_context("spawn").Process(target=run_up, args=(folder,), kwargs=environment)
    process.start()
    return process


def test_up_makes_the_stack_then_changes_nothing_and_leaves_the_selected_stack_alone(trivial: Trivial) -> None:
    first = trivial.engine().up()
    assert first.progress.changes == {"create": 5}
    assert first.progress.planned == 5
    assert set(trivial.made) == {"shelf-0", "shelf-1", "shelf-2"}
    assert first.state is not None
    assert first.state.by_component() == {"shelf (Shelf)": 3}
    assert first.state.outputs["answer"] == 42
    second = trivial.engine().up()
    assert (second.changed, second.progress.changes) == (0, {"same": 5})
    assert not (trivial.home.pulumi_home / "workspaces").exists()
    assert not living(trivial.folder)
    assert not list((trivial.home.run / "engines").iterdir())


def test_destroy_and_remove(trivial: Trivial) -> None:
    trivial.engine().up()
    assert trivial.engine().destroy().progress.changes == {"delete": 5}
    assert trivial.made == {}
    trivial.engine().remove()
    stack = trivial.engine().stack
    assert read_state("trivial", "dev", stack.environment, stack.workdir) is None


def test_a_failure_is_one_line_with_the_resource(trivial: Trivial) -> None:
    with pytest.raises(FreeholdError) as failure:
        trivial.engine(REFUSE="shelf-1").up()
    assert str(failure.value).startswith("stack dev, shelf-1: the shelf is full; see ")
    assert "\n" not in str(failure.value)
    assert trivial.engine().up().progress.changes["create"] == 1


def test_a_wrong_passphrase_is_one_line_and_loses_nothing(trivial: Trivial) -> None:
    trivial.engine().up()
    before = (trivial.home.backend / ".pulumi/stacks/trivial/dev.json").read_bytes()
    with pytest.raises(FreeholdError, match=r"^stack dev: wrong passphrase; set PULUMI_CONFIG_PASSPHRASE"):
        trivial.engine(PULUMI_CONFIG_PASSPHRASE="another").up()
    assert (trivial.home.backend / ".pulumi/stacks/trivial/dev.json").read_bytes() == before


def test_a_stack_file_that_is_no_yaml_is_one_line_with_the_place(trivial: Trivial) -> None:
    path = trivial.folder / "work/Pulumi.dev.yaml"
    path.write_text("config:\n  a: [1, 2\n")
    with pytest.raises(FreeholdError, match=rf"^{path}:3:1: not valid YAML: .*; correct it$"):
        trivial.engine().up()
    path.write_text("")
    trivial.engine().up()
    path.write_text("config: {a: b: c}\n")
    with pytest.raises(FreeholdError, match=rf"^{path}:1:14: not valid YAML"):
        trivial.engine().up()


def test_a_stack_file_stays_as_it_was_written_whatever_is_done(trivial: Trivial) -> None:
    path = trivial.folder / "work/Pulumi.dev.yaml"
    written = "# Sizes.\n\nconfig:\n    # the first\n    trivial:b:   '1'   # aside\n\n    trivial:a: 2\n# the end\n"
    path.write_text(written)
    trivial.engine().preview()  # makes the stack, and with it the salt
    begun = path.read_text()
    assert begun.removeprefix(written).startswith("encryptionsalt: v1:")
    trivial.engine().up()
    trivial.engine().refresh()
    trivial.engine().destroy()
    trivial.engine().remove()
    trivial.engine().up()  # made anew, by the salt that is there
    assert path.read_text() == begun


def test_the_second_run_waits_and_says_for_whom(trivial: Trivial) -> None:
    first = spawn(trivial.folder, SLOW="3")
    until(lambda: trivial.begun("shelf-0"))
    assert trivial.engine().up().progress.changes == {"same": 5}
    assert any(f"waiting for process {first.pid} (`" in line for line in trivial.told), trivial.told
    first.join()
    assert first.exitcode == 0


def test_a_bounded_wait_ends_with_the_holder_named(trivial: Trivial) -> None:
    first = spawn(trivial.folder, SLOW="4")
    until(lambda: trivial.begun("shelf-0"))
    with pytest.raises(FreeholdError, match=rf"^stack dev: held by process {first.pid} \(`.+`, since .*waiting 1 s"):
        trivial.engine(wait=1).up()
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


def test_a_killed_command_leaves_an_engine_that_the_next_run_ends_gently(trivial: Trivial) -> None:
    first = spawn(trivial.folder, SLOW="2")
    until(lambda: trivial.begun("shelf-0"))
    first.kill()
    first.join()
    assert living(trivial.folder)
    result = trivial.engine().up()
    assert any("ended" in line and "killed `pulumi up`" in line for line in trivial.told), trivial.told
    # The engine had its SIGINT and wrote what it had made: nothing is made twice.
    assert set(trivial.made.values()) == {"made\n"}
    assert result.progress.changes == {"same": 5}
    assert not living(trivial.folder)


def test_a_killed_engine_is_cleaned_up_and_what_it_had_made_is_brought_in(trivial: Trivial) -> None:
    first = spawn(trivial.folder, SLOW="3", COUNT="3")
    until(lambda: all(trivial.begun(f"shelf-{number}") for number in range(3)))
    for process in living(trivial.folder):
        process.kill()
    first.kill()
    first.join()
    state = read_state("trivial", "dev", trivial.environment(), trivial.folder)
    assert state is not None
    assert sorted(operation.urn for operation in state.pending) == [URN.format(number) for number in range(3)]
    # As a provider host that outlived the engine: one of the three was made.
    made = trivial.folder / "made/shelf-1"
    made.write_text("by the first run\n")
    with Creations(trivial.home) as journal:
        journal.record(URN.format(1), str(made))
    result = trivial.engine().up()
    told = "\n".join(trivial.told)
    assert "removing the lock of pulumi, process" in told
    assert "brought in: shelf-1; to be made again: " in told
    assert result.progress.changes == {"create": 2, "update": 1, "same": 2} or result.progress.changes == {
        "create": 2,
        "same": 3,
    }
    assert trivial.made == {"shelf-0": "made\n", "shelf-1": "by the first run\n", "shelf-2": "made\n"}
    assert result.state is not None
    assert result.state.pending == ()
    assert result.state.ids(URN.format(1)) == {str(made)}
    assert trivial.engine().up().changed == 0


def test_a_living_engine_s_lock_is_left_alone(trivial: Trivial) -> None:
    trivial.engine().up()
    folder = trivial.home.backend / ".pulumi/locks/organization/trivial/dev"
    folder.mkdir(parents=True, exist_ok=True)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    lock = {"pid": os.getpid(), "username": "somebody", "hostname": os.uname().nodename, "timestamp": stamp}
    (folder / "11111111-1111-1111-1111-111111111111.json").write_text(json.dumps(lock))
    with pytest.raises(FreeholdError, match=rf"^stack dev: locked by pulumi, process {os.getpid()} on .*let it finish"):
        trivial.engine(wait=0.5).up()
    assert list(folder.glob("*.json"))
    # The same lock of a process that died: a pid that is free, or was given to a younger process.
    (folder / "11111111-1111-1111-1111-111111111111.json").write_text(
        json.dumps({**lock, "timestamp": "2020-01-01T00:00:00Z"})
    )
    trivial.engine(wait=0.5).up()
    assert not list(folder.glob("*.json"))


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


def test_half_written_attributes_of_the_state_are_in_nobodys_way(trivial: Trivial) -> None:
    """The backend writes them in place: an engine that is killed in that moment leaves an empty file."""
    trivial.engine().up()
    (sidecar,) = (trivial.home.backend / ".pulumi/stacks/trivial").glob("dev.json.attrs")
    sidecar.write_bytes(b"")
    assert trivial.engine().preview().progress.changes == {"same": 5}
    sidecar.write_bytes(b'{"user.cache')
    assert trivial.engine().up().progress.changes == {"same": 5}
    assert sum("half written" in line for line in trivial.told) == 2


@pytest.mark.parametrize(("presses", "seconds"), [(1, 30), (2, 5)])
def test_ctrl_c_once_lets_the_engine_finish_and_twice_ends_it(trivial: Trivial, presses: int, seconds: float) -> None:
    interrupts = Interrupts()
    slow = 2.0 if presses == 1 else 60.0

    def press() -> None:
        until(lambda: trivial.begun("shelf-0"))
        for _ in range(presses):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.5)

    thread = threading.Thread(target=press)
    thread.start()
    began = time.monotonic()
    with pytest.raises(Interrupted, match="interrupted; run it again"):
        trivial.engine(interrupts=interrupts, SLOW=str(slow)).up()
    thread.join()
    assert time.monotonic() - began < seconds + 10
    assert trivial.told[0].startswith("stopping: the engine finishes what it is doing")
    assert not living(trivial.folder)
    state = read_state("trivial", "dev", trivial.environment(), trivial.folder)
    assert state is not None
    if presses == 1:
        assert state.pending == ()
        assert set(trivial.made) == {r["id"].rsplit("/", 1)[-1] for r in state.managed}
    else:
        assert {operation.kind for operation in state.pending} == {"creating"}
    trivial.engine().up()
    assert set(trivial.made.values()) == {"made\n"}


def press_when_told(trivial: Trivial, line: str) -> threading.Thread:
    """Ctrl-C as soon as `line` is told."""

    def press() -> None:
        until(lambda: any(line in told for told in trivial.told))
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    return thread


def test_ctrl_c_ends_the_waiting_for_another_run(trivial: Trivial) -> None:
    first = spawn(trivial.folder, SLOW="15")
    until(lambda: trivial.begun("shelf-0"))
    pressing = press_when_told(trivial, f"waiting for process {first.pid} (`")
    with pytest.raises(Interrupted, match=r"^stack dev: interrupted; run it again"):
        trivial.engine(wait=10).up()
    pressing.join()
    assert first.is_alive()
    first.join()
    assert first.exitcode == 0


def test_ctrl_c_ends_the_waiting_for_an_engine_that_lives(trivial: Trivial) -> None:
    trivial.engine().up()
    folder = trivial.home.backend / ".pulumi/locks/organization/trivial/dev"
    folder.mkdir(parents=True, exist_ok=True)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    lock = {"pid": os.getpid(), "username": "somebody", "hostname": os.uname().nodename, "timestamp": stamp}
    (folder / "11111111-1111-1111-1111-111111111111.json").write_text(json.dumps(lock))
    pressing = press_when_told(trivial, f"waiting for pulumi, process {os.getpid()} on")
    with pytest.raises(Interrupted, match=r"^stack dev: interrupted; run it again"):
        trivial.engine(wait=10).up()
    pressing.join()
    assert list(folder.glob("*.json"))


def test_orphans_of_a_living_owner_are_left_alone(trivial: Trivial) -> None:
    first = spawn(trivial.folder, SLOW="2")
    until(lambda: trivial.begun("shelf-0"))
    end_orphans(trivial.home, trivial.told.append)
    assert trivial.told == []
    assert living(trivial.folder)
    first.join()
    assert first.exitcode == 0


_ENGINE = """
import pathlib, signal, sys, time
told = pathlib.Path(sys.argv[1])
signal.signal(signal.SIGINT, lambda *_: told.write_text(told.read_text() + "SIGINT "))
told.write_text("")
deadline = time.monotonic() + 60
while not told.read_text() and time.monotonic() < deadline:
    time.sleep(0.02)
time.sleep(1)
"""


def test_those_who_end_the_same_orphan_at_once_tell_it_once(trivial: Trivial) -> None:
    """The engine gives up what it has in hand when it is told a second time."""
    told, token = trivial.folder / "told", new_token()
    command = subprocess.Popen(["sleep", "60"])
    owner = ProcessIdentity.of(command.pid)
    assert owner is not None
    engine = subprocess.Popen(
        [sys.executable, "-c", _ENGINE, str(told)], env={**os.environ, RUN_VARIABLE: token}, start_new_session=True
    )
    try:
        until(told.exists)
        with recorded(trivial.home, EngineRun("dev", "up", token, owner)):
            command.kill()
            command.wait()
            threads = [threading.Thread(target=end_orphans, args=(trivial.home, trivial.told.append)) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert engine.wait(10) == 0
    finally:
        engine.kill()
        engine.wait()
    assert told.read_text() == "SIGINT "
    assert len(trivial.told) == 1, trivial.told


def test_a_run_goes_on_whatever_the_clock_is_set_to(trivial: Trivial, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel keeps when a process started in ticks since the boot, and moves the boot."""
    with recorded(trivial.home, EngineRun("dev", "up", new_token(), ProcessIdentity.own())):
        told = psutil.Process.create_time
        monkeypatch.setattr(psutil.Process, "create_time", lambda process: told(process) + 3600)
        end_orphans(trivial.home, trivial.told.append)
        with pytest.raises(FreeholdError, match=rf"process {os.getpid()} runs `pulumi up` on it"):
            require_idle(trivial.home)


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
