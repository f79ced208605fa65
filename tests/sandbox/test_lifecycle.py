"""`freehold sandbox` as a person uses it: start, second start, status, env, kill -9, stop, reset."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from errors import FreeholdError
from sandbox.home import CHECKOUT, Home
from sandbox.supervisor import messages, pidfile
from sandbox.supervisor.client import NotRunning, Supervisor
from sandbox.supervisor.messages import CacheUser, SupervisorError
from tests.temporary_sandbox import Sandbox, without_chosen_ports

pytestmark = pytest.mark.sandbox


def freehold(
    home: Home, *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """`freehold ARGUMENTS` with FREEHOLD_HOME at `home`."""
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        cwd=CHECKOUT,
        text=True,
        capture_output=True,
        timeout=240,
        stdin=subprocess.DEVNULL,
        env={**without_chosen_ports(), "FREEHOLD_HOME": str(home.root), "COLUMNS": "200", **(environment or {})},
    )


def processes_of(home: Home) -> list[psutil.Process]:
    """Every process that was started for `home`: their environment says so, or (Postgres hides it) they work there."""
    found = []
    for process in psutil.process_iter():
        try:
            ours = process.environ().get("FREEHOLD_HOME") == str(home.root) or process.cwd().startswith(str(home.root))
            if ours and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def pids(supervisor: Supervisor) -> dict[str, int]:
    return {process.name: process.pid for process in supervisor.status().processes if process.pid is not None}


def populate(supervisor: Supervisor) -> None:
    supervisor.create_database("control", username="freehold", password="p4ssword-p4ssword", database="control")
    supervisor.create_cache("cache")
    user = CacheUser(name="app", passwords=("s3cret-s3cret-s3cret",), access_string="~* +@all")
    supervisor.set_cache_users("cache", [user])


def test_start_again_stop_and_reset(fresh_home: Home) -> None:
    """The whole of it in one life, because each start takes seconds."""
    not_running = freehold(fresh_home, "sandbox", "status")
    assert not_running.returncode == 1
    assert not_running.stderr.strip() == (
        f"freehold: {fresh_home.root}: sandbox is not running; ./freehold sandbox start"
    )
    never = freehold(fresh_home, "sandbox", "env")
    assert never.returncode == 1
    assert never.stderr.strip().endswith("the sandbox has not run yet; ./freehold sandbox start")

    first = freehold(fresh_home, "sandbox", "start")
    assert first.returncode == 0, first.stderr
    assert "sandbox is ready" in first.stdout
    supervisor = Supervisor.connect(fresh_home)
    populate(supervisor)
    before = pids(supervisor)

    second = freehold(fresh_home, "sandbox", "start")
    assert second.returncode == 0
    assert second.stdout.strip() == f"sandbox is running already at {fresh_home.root}"
    assert pids(supervisor) == before

    shown = freehold(fresh_home, "sandbox", "status", "--json")
    assert shown.returncode == 0
    status: dict[str, Any] = json.loads(shown.stdout)
    assert status["state"] == "ready"
    assert {process["name"] for process in status["processes"]} == {
        "moto",
        "token-webhook",
        "provider-host",
        "postgres-control",
        "redis-cache",
    }

    listening_is_loopback_only(fresh_home)
    the_shell_works(fresh_home)

    stopped = freehold(fresh_home, "sandbox", "stop")
    assert stopped.returncode == 0, stopped.stderr
    assert processes_of(fresh_home) == []
    with pytest.raises(NotRunning):
        Supervisor.connect(fresh_home)
    again = freehold(fresh_home, "sandbox", "stop")
    assert (again.returncode, again.stdout.strip()) == (0, f"sandbox is not running at {fresh_home.root}")

    unasked = freehold(fresh_home, "sandbox", "reset")
    assert unasked.returncode == 2
    assert "data/" in unasked.stdout
    assert unasked.stderr.strip() == "freehold: reset needs a confirmation; add --yes"
    assert fresh_home.data.exists()
    keep = fresh_home.root / "notes.txt"
    keep.write_text("the user's own")
    reset = freehold(fresh_home, "sandbox", "reset", "--yes")
    assert reset.returncode == 0, reset.stderr
    assert list(fresh_home.root.iterdir()) == [keep]


def listening_is_loopback_only(home: Home) -> None:
    """Each socket that any of its processes listens on; Unix sockets are for the owner alone."""
    ours = {process.pid for process in processes_of(home)}
    listening = [
        address(connection)
        for connection in psutil.net_connections(kind="inet")
        if connection.pid in ours and connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) == 4, "moto, token webhook, Postgres, Redis"
    assert set(listening) == {"127.0.0.1"}
    for name in ("supervisor", "providers"):
        assert home.socket(name).stat().st_mode & 0o077 == 0


def address(connection: Any) -> str:
    return str(connection.laddr.ip)


def the_shell_works(home: Home) -> None:
    """`eval "$(freehold sandbox env)"`, and then the ordinary commands."""
    script = """
        set -eu
        eval "$("$PYTHON" -m cli sandbox env)"
        aws sts get-caller-identity --query Arn --output text
        psql -X -A -t "$DATABASE_URL" -c 'select current_user'
        redis-cli --no-auth-warning --cacert "$PGSSLROOTCERT" -u "$REDIS_URL" ping
    """
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=CHECKOUT,
        text=True,
        capture_output=True,
        timeout=120,
        env={**without_chosen_ports(), "FREEHOLD_HOME": str(home.root), "PYTHON": sys.executable},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["arn:aws:iam::123456789012:user/freehold-operator", "freehold", "PONG"]


def test_after_kill_9_of_the_supervisor_nothing_is_left_and_the_next_start_has_everything(fresh_home: Home) -> None:
    assert freehold(fresh_home, "sandbox", "start").returncode == 0
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
        restarted = freehold(fresh_home, "sandbox", "start")
        assert restarted.returncode == 0, restarted.stderr
        assert "sandbox is ready" in restarted.stdout
        assert orphan.wait(10) == -signal.SIGTERM
    finally:
        orphan.kill()
        orphan.wait()
    supervisor = Supervisor.connect(fresh_home)
    assert supervisor.cache("cache") == port
    assert supervisor.database("control") is not None
    started = [process.create_time() for process in processes_of(fresh_home)]
    assert min(started) >= psutil.Process(supervisor.status().supervisor_pid).create_time() - 0.1, "one lived on"


def test_kill_9_of_the_supervisor_and_then_stop_or_reset(fresh_home: Home) -> None:
    assert freehold(fresh_home, "sandbox", "start").returncode == 0
    os.kill(Supervisor.connect(fresh_home).status().supervisor_pid, signal.SIGKILL)
    reset = freehold(fresh_home, "sandbox", "reset", "--yes")
    assert reset.returncode == 0, reset.stderr
    assert processes_of(fresh_home) == []
    assert not fresh_home.root.exists()
    fresh_home.root.mkdir()  # for the fixture's own tidying


def test_two_starts_at_once_make_one_sandbox(fresh_home: Home) -> None:
    environment = {**without_chosen_ports(), "FREEHOLD_HOME": str(fresh_home.root)}
    both = [
        subprocess.Popen(
            [sys.executable, "-m", "cli", "sandbox", "start"],
            cwd=CHECKOUT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    for process in both:
        _, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors
    supervisors = [process for process in processes_of(fresh_home) if "sandbox.supervisor" in process.cmdline()]
    assert len(supervisors) <= 1
    assert Supervisor.connect(fresh_home).status().state == "ready"


def test_a_taken_port_is_told_in_one_line(fresh_home: Home) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        started = freehold(fresh_home, "sandbox", "start", environment={"FREEHOLD_AWS_PORT": str(port)})
    assert started.returncode == 1
    assert (
        started.stderr.strip()
        .splitlines()[-1]
        .startswith(
            f"freehold: moto: port {port} of 127.0.0.1 is taken; end the program that holds it, "
            "or set FREEHOLD_AWS_PORT to a free port"
        )
    )


def test_a_port_that_is_none_is_told_in_one_line(fresh_home: Home) -> None:
    started = freehold(fresh_home, "sandbox", "start", environment={"FREEHOLD_AWS_PORT": "http"})
    assert started.returncode == 1
    assert "FREEHOLD_AWS_PORT: 'http' is no port; set a number from 1 to 65535, or unset it" in started.stderr
    assert len(started.stderr.strip().splitlines()) == 1


def test_a_home_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    started = freehold(Home(blocked), "sandbox", "start")
    assert started.returncode == 1
    assert "set FREEHOLD_HOME to another folder" in started.stderr
    assert len(started.stderr.strip().splitlines()) == 1


def test_crashed_processes_come_back_without_loss(fresh_home: Home) -> None:
    assert freehold(fresh_home, "sandbox", "start").returncode == 0
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


def test_what_was_being_made_when_the_supervisor_died_can_be_made_again(fresh_home: Home) -> None:
    assert freehold(fresh_home, "sandbox", "start").returncode == 0
    supervisor = Supervisor.connect(fresh_home)
    pid = supervisor.status().supervisor_pid
    outcome: list[str] = []

    def create() -> None:
        try:
            supervisor.create_cluster("half", "1.35")
        except FreeholdError as error:
            outcome.append(error.line())

    asking = threading.Thread(target=create)
    asking.start()
    while not any(process.name == "kube-apiserver-half" and process.pid for process in supervisor.status().processes):
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    asking.join()
    assert outcome == ["supervisor: it ended during create-cluster; ./freehold sandbox start, then try again"]
    assert freehold(fresh_home, "sandbox", "start").returncode == 0
    assert supervisor.cluster("half") is None
    assert not any(process.instance == "half" for process in supervisor.status().processes)
    assert supervisor.create_cluster("half", "1.35").server_version.startswith("1.35.")


def test_stopping_while_something_is_being_made_ends_both(fresh_home: Home) -> None:
    assert freehold(fresh_home, "sandbox", "start").returncode == 0
    supervisor = Supervisor.connect(fresh_home)
    outcome: list[str] = []

    def create() -> None:
        try:
            supervisor.create_cluster("late", "1.35")
        except FreeholdError as error:
            outcome.append(error.line())

    asking = threading.Thread(target=create)
    asking.start()
    while not any(process.name == "kube-apiserver-late" and process.pid for process in supervisor.status().processes):
        time.sleep(0.02)
    supervisor.stop()  # without the command's start, in which the cluster could become ready
    asking.join()
    assert len(outcome) == 1
    assert processes_of(fresh_home) == []


def test_a_request_of_another_release_tells_how_to_go_on(sandbox: Sandbox) -> None:
    class Newer(messages.GetStatus):
        more: str

    with pytest.raises(SupervisorError, match="not permitted") as refused:
        sandbox.supervisor._call(Newer, more="than it knows")
    assert refused.value.mend == "it is of another release: ./freehold sandbox stop, then try again"
