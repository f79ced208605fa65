"""kill -9 of the supervisor and of what it runs, also while something is being made."""

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
from sandbox.home import Home
from sandbox.supervisor import pidfile
from sandbox.supervisor.client import Supervisor
from tests.sandbox.command import freehold, pids, populate, processes_of

pytestmark = pytest.mark.sandbox


@pytest.mark.timeout(600)
def test_one_life_with_many_crashes(fresh_home: Home) -> None:
    """All in one, because each start takes seconds."""
    start(fresh_home)
    processes_that_are_killed_come_back(fresh_home)
    a_killed_supervisor_leaves_nothing_running_and_loses_nothing(fresh_home)
    what_was_being_made_when_the_supervisor_died_can_be_made_again(fresh_home)
    stopping_while_something_is_being_made_ends_both(fresh_home)
    start(fresh_home)
    a_killed_supervisor_is_reset(fresh_home)


def start(home: Home) -> None:
    started = freehold(home, "sandbox", "start")
    assert started.returncode == 0, started.stderr
    assert "sandbox is ready" in started.stdout


def a_killed_supervisor_leaves_nothing_running_and_loses_nothing(fresh_home: Home) -> None:
    supervisor = Supervisor.connect(fresh_home)
    populate(supervisor)
    port = supervisor.cache("cache")
    pid = supervisor.status().supervisor_pid
    # What the kernel's own signal on the supervisor's death does not reach: as if setpriv were missing.
    orphan = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    try:
        identity = pidfile.ProcessIdentity.of(orphan.pid)
        assert identity is not None
        pidfile.write(fresh_home.run / "orphan.pid", identity)
        os.kill(pid, signal.SIGKILL)
        start(fresh_home)
        assert orphan.wait(10) == -signal.SIGTERM
    finally:
        orphan.kill()
        orphan.wait()
    supervisor = Supervisor.connect(fresh_home)
    assert supervisor.cache("cache") == port
    assert supervisor.database("control") is not None
    started = [process.create_time() for process in processes_of(fresh_home)]
    assert min(started) >= psutil.Process(supervisor.status().supervisor_pid).create_time() - 0.1, "one lived on"


def test_stop_ends_what_a_killed_supervisor_left(fresh_home: Home) -> None:
    fresh_home.run.mkdir()
    orphan = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        identity = pidfile.ProcessIdentity.of(orphan.pid)
        assert identity is not None
        pidfile.write(fresh_home.run / "orphan.pid", identity)
        stopped = freehold(fresh_home, "sandbox", "stop")
        assert stopped.returncode == 0, stopped.stderr
        assert stopped.stdout.strip() == (
            f"the supervisor had died; ended 1 process that it left at {fresh_home.root}; its data stays"
        )
        assert orphan.wait(10) == -signal.SIGTERM
    finally:
        orphan.kill()
        orphan.wait()
    again = freehold(fresh_home, "sandbox", "stop")
    assert (again.returncode, again.stdout.strip()) == (0, f"sandbox is not running at {fresh_home.root}")


def a_killed_supervisor_is_reset(fresh_home: Home) -> None:
    os.kill(Supervisor.connect(fresh_home).status().supervisor_pid, signal.SIGKILL)
    reset = freehold(fresh_home, "sandbox", "reset", "--yes")
    assert reset.returncode == 0, reset.stderr
    assert processes_of(fresh_home) == []
    assert not fresh_home.root.exists()
    fresh_home.root.mkdir()  # for the fixture's own tidying


def processes_that_are_killed_come_back(fresh_home: Home) -> None:
    supervisor = Supervisor.connect(fresh_home)
    before = pids(supervisor)
    for name in ("moto", "token-webhook", "provider-host"):
        os.kill(before[name], signal.SIGKILL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        now = supervisor.status()
        if now.state == "ready" and all(process.restarts == 1 for process in now.processes):
            break
        time.sleep(0.1)
    after = {process.name: (process.state, process.restarts) for process in supervisor.status().processes}
    assert after == dict.fromkeys(before, ("ready", 1))


def being_made(supervisor: Supervisor, cluster: str) -> tuple[threading.Thread, list[str]]:
    """Who asks for this cluster, whose API server runs already, and what they will have been told where it fails."""
    outcome: list[str] = []

    def create() -> None:
        try:
            supervisor.create_cluster(cluster, "1.35")
        except FreeholdError as error:
            outcome.append(error.line())

    asking = threading.Thread(target=create)
    asking.start()
    server = f"kube-apiserver-{cluster}"
    while not any(process.name == server and process.pid for process in supervisor.status().processes):
        time.sleep(0.02)
    return asking, outcome


def what_was_being_made_when_the_supervisor_died_can_be_made_again(fresh_home: Home) -> None:
    supervisor = Supervisor.connect(fresh_home)
    pid = supervisor.status().supervisor_pid
    asking, outcome = being_made(supervisor, "half")
    os.kill(pid, signal.SIGKILL)
    asking.join()
    assert outcome == ["supervisor: it ended during create-cluster; ./freehold sandbox start, then try again"]
    start(fresh_home)
    assert supervisor.cluster("half") is None
    assert not any(process.instance == "half" for process in supervisor.status().processes)
    assert supervisor.create_cluster("half", "1.35").server_version.startswith("1.35.")
    supervisor.delete_cluster("half")  # the next start need not bring it back


def stopping_while_something_is_being_made_ends_both(fresh_home: Home) -> None:
    supervisor = Supervisor.connect(fresh_home)
    asking, outcome = being_made(supervisor, "late")
    supervisor.stop()  # without the command's start, in which the cluster could become ready
    asking.join()
    assert len(outcome) == 1
    assert processes_of(fresh_home) == []
