"""Whose a pid is: a process is known by when it started too, and is ended as it asks to be."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.supervisor import pidfile
from sandbox.supervisor.pidfile import ProcessIdentity

READY = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"


def begin(note: Path, *command: str) -> subprocess.Popen[bytes]:
    """A process in a session of its own; `command` has touched `note` when this returns."""
    process = subprocess.Popen([*command, str(note)], start_new_session=True)
    deadline = time.monotonic() + 20
    while not note.exists() or (note.name == "pid" and not note.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return process


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """One whose name looks like the end of the name in /proc/PID/stat, proc_pid_stat(5)."""
    name = "a) Z 1 (b"
    (tmp_path / name).symlink_to(sys.executable)
    process = begin(tmp_path / "note", str(tmp_path / name), "-I", "-S", "-c", READY)
    yield process
    process.kill()
    process.wait()


def test_a_process_is_known_whatever_its_name_is(sleeper: subprocess.Popen[bytes], tmp_path: Path) -> None:
    assert Path(f"/proc/{sleeper.pid}/comm").read_text() == "a) Z 1 (b\n"
    identity = ProcessIdentity.of(sleeper.pid)
    assert identity is not None and identity.is_alive()
    assert identity.session_members() == [sleeper.pid]
    pidfile.write(tmp_path / "one.pid", identity)
    assert pidfile.read(tmp_path / "one.pid") == identity


def test_another_process_with_its_pid_is_not_it(sleeper: subprocess.Popen[bytes]) -> None:
    identity = ProcessIdentity.of(sleeper.pid)
    assert identity is not None
    for other in ({"start_ticks": identity.start_ticks - 1}, {"boot_id": "another boot"}):
        earlier = identity.model_copy(update=other)
        assert not earlier.is_alive()
        assert earlier.session_members() == []
        assert not earlier.end(grace_seconds=0)
    assert sleeper.poll() is None


def test_a_zombie_lives_no_more(sleeper: subprocess.Popen[bytes]) -> None:
    identity = ProcessIdentity.of(sleeper.pid)
    assert identity is not None
    sleeper.kill()
    deadline = time.monotonic() + 20
    while identity.is_alive():
        assert time.monotonic() < deadline
    assert Path(f"/proc/{sleeper.pid}").exists(), "nobody has reaped it yet"


def test_it_is_ended_by_the_signal_that_it_asks_for(sleeper: subprocess.Popen[bytes]) -> None:
    """Postgres takes SIGTERM for "when the last client has gone", and SIGINT for "now"."""
    # One that no shell has had ignored: it does so with SIGINT and SIGQUIT for what it runs in the background.
    identity = ProcessIdentity.of(sleeper.pid, signal.SIGUSR1)
    assert identity is not None and identity.end(grace_seconds=10)
    assert sleeper.wait() == -signal.SIGUSR1


def test_what_a_dead_leader_left_is_asked_to_end_before_it_is_made_to(tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    child = f"trap 'touch {ended}; exit' TERM; echo $$ > \"$0\"; while :; do sleep 0.02; done"
    leader = begin(tmp_path / "pid", "/bin/sh", "-c", 'sh -c "$1" "$2" & wait', "sh", child)
    identity = ProcessIdentity.of(leader.pid)
    assert identity is not None
    leader.kill()
    leader.wait()
    assert identity.end(grace_seconds=10)
    assert ended.exists()
