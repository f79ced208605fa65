"""Engine runs that are killed or interrupted: what the next one finds, ends and goes on with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest

from errors import FreeholdError
from fleet import processes
from fleet.engine_runs import EngineRun, end_orphans, new_token, recorded, require_idle
from fleet.interrupts import Interrupted, Interrupts
from fleet.processes import RUN_VARIABLE
from fleet.state import read_state
from sandbox.providers.creations import Creations
from sandbox.supervisor.pidfile import ProcessIdentity
from tests.rehearsal.freehold import until
from tests.rehearsal.trivial import Trivial, living, spawn

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(600)]

URN = "urn:pulumi:dev::trivial::test:index:Shelf$pulumi-python:dynamic:Resource::shelf-{}"


def test_a_killed_command_leaves_an_engine_that_the_next_run_ends_gently(
    trivial: Trivial, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_for = processes._wait_for

    def let_go_and_wait(process: psutil.Process, seconds: float) -> None:
        trivial.let_go()
        wait_for(process, seconds)

    # The engine has something in hand until it has had its signal.
    monkeypatch.setattr(processes, "_wait_for", let_go_and_wait)
    first = spawn(trivial.folder, HELD="1")
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


def test_half_written_attributes_of_the_state_are_in_nobodys_way(trivial: Trivial) -> None:
    """The backend writes them in place: an engine that is killed in that moment leaves an empty file."""
    trivial.engine().up()
    (sidecar,) = (trivial.home.backend / ".pulumi/stacks/trivial").glob("dev.json.attrs")
    sidecar.write_bytes(b"")
    assert trivial.engine().preview().progress.changes == {"same": 5}
    sidecar.write_bytes(b'{"user.cache')
    assert trivial.engine().up().progress.changes == {"same": 5}
    assert sum("half written" in line for line in trivial.told) == 2


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_once_lets_the_engine_finish_and_twice_ends_it(trivial: Trivial, presses: int) -> None:
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
    assert presses == 1 or time.monotonic() - began < 55  # the engine would go on for 60
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


def test_orphans_of_a_living_owner_are_left_alone(trivial: Trivial) -> None:
    first = spawn(trivial.folder, HELD="1")
    until(lambda: trivial.begun("shelf-0"))
    end_orphans(trivial.home, trivial.told.append)
    assert trivial.told == []
    assert living(trivial.folder)
    trivial.let_go()
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
