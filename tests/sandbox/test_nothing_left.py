"""What starts sandboxes leaves nothing behind: no process, no folder, no zombie, no warning."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from errors import FreeholdError
from sandbox.home import Home
from sandbox.supervisor import client, launch, pidfile
from sandbox.supervisor.pidfile import ProcessIdentity
from tests.temporary_sandbox import temporary_home


def test_a_supervisor_that_cannot_be_reached_is_ended_and_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_SOCKET_SECONDS", 0.1)
    left = [subprocess.Popen(["sleep", "600"], start_new_session=True) for _ in range(2)]
    try:
        with (
            pytest.raises(FreeholdError, match=f"process {left[0].pid}. and does not answer"),
            temporary_home() as home,
        ):
            home.run.mkdir()
            for process, file in zip(left, (home.lock, home.run / "one.pid"), strict=True):
                identity = ProcessIdentity.of(process.pid)
                assert identity is not None
                pidfile.write(file, identity)
        assert [process.wait(10) for process in left] == [-15, -15]
        assert not home.root.exists()
    finally:
        for process in left:
            process.kill()
            process.wait()


def test_a_supervisor_may_outlive_its_starter_and_is_reaped_where_it_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(launch, "_LAUNCHED", [])
    first, _ = launch._spawn(Home(tmp_path), {"PATH": os.defpath}, tmp_path / "log")
    first.kill()
    os.waitid(os.P_PID, first.pid, os.WEXITED | os.WNOWAIT)
    second, _ = launch._spawn(Home(tmp_path), {"PATH": os.defpath}, tmp_path / "log")
    pid = second.pid
    try:
        (kept,) = launch._LAUNCHED
        assert kept.pid == pid
        del kept
        with pytest.raises(ChildProcessError):
            os.waitpid(first.pid, os.WNOHANG)
        # As at the end of the interpreter. pytest makes a failure of what `__del__` raises or warns of.
        launch._LAUNCHED.clear()
        del second
        gc.collect()
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
