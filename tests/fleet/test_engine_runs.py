"""The records of engine runs: who may not be disturbed, and what a killed command leaves."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from errors import FreeholdError
from fleet.engine_runs import EngineRun, end_orphans, new_token, recorded, require_idle
from fleet.processes import RUN_VARIABLE
from sandbox.home import Home
from sandbox.supervisor.pidfile import ProcessIdentity

DEAD = ProcessIdentity.own().model_copy(update={"start_ticks": 1})


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def run_of(owner: ProcessIdentity) -> EngineRun:
    return EngineRun("dev", "up", new_token(), owner)


def records(home: Home) -> list[Path]:
    return sorted((home.run / "engines").glob("*.json"))


def left_by_the_dead(home: Home) -> EngineRun:
    run = run_of(DEAD)
    with recorded(home, run):
        (path,) = records(home)
        content = path.read_bytes()
    path.write_bytes(content)
    return run


def test_what_runs_for_a_command_that_lives_is_not_to_be_disturbed(home: Home) -> None:
    require_idle(home)
    with recorded(home, run_of(ProcessIdentity.own())):
        (path,) = records(home)
        assert path.stat().st_mode & 0o777 == 0o600
        with pytest.raises(FreeholdError, match=rf"^stack dev: process {os.getpid()} runs `pulumi up` on it; let it"):
            require_idle(home)
        require_idle(home, but=[os.getpid()])
        end_orphans(home, pytest.fail)
        assert records(home) == [path]
    assert records(home) == []
    require_idle(home)


def test_what_a_dead_one_left_disturbs_nobody(home: Home) -> None:
    left_by_the_dead(home)
    require_idle(home)
    end_orphans(home, pytest.fail)  # nothing of it lives, and there is nothing to tell
    assert records(home) == []


@pytest.fixture
def orphan(home: Home) -> Iterator[subprocess.Popen[bytes]]:
    token = left_by_the_dead(home).token
    program = "import signal, sys; signal.signal(2, lambda *_: sys.exit(0)); print(flush=True); signal.pause()"
    with subprocess.Popen(
        [sys.executable, "-ISc", program],
        env={RUN_VARIABLE: token},
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None and process.stdout.readline()
        yield process
        process.kill()


def test_an_orphan_is_asked_to_end_and_told(home: Home, orphan: subprocess.Popen[bytes]) -> None:
    told: list[str] = []
    end_orphans(home, told.append)
    assert told == ["stack dev: ended 1 process that a killed `pulumi up` had left"]
    assert orphan.wait(10) == 0  # by itself, as an engine that writes its state
    assert records(home) == []


def test_a_record_of_another_release_is_left_alone(home: Home) -> None:
    left_by_the_dead(home)
    (path,) = records(home)
    path.write_text('{"stack": "dev"}')
    require_idle(home)
    end_orphans(home, pytest.fail)
    assert records(home) == [path]
