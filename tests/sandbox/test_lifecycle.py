"""`freehold sandbox` as a person uses it: start, second start, status, env, stop, reset."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import psutil
import pytest

from sandbox.home import CHECKOUT, Home
from sandbox.supervisor.client import NotRunning, Supervisor
from tests.sandbox.command import freehold, pids, populate, processes_of
from tests.temporary_sandbox import without_chosen_ports

pytestmark = pytest.mark.sandbox


@pytest.mark.timeout(600)
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

    (fresh_home.backend / ".pulumi").mkdir(parents=True, mode=0o755)  # as an earlier release left it
    two_starts_at_once_make_one_sandbox(fresh_home)
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

    open_to_others = {path.name for path in fresh_home.root.iterdir() if path.stat().st_mode & 0o077}
    assert open_to_others <= {"bin"}, "which holds programs alone"
    listening_is_loopback_only(fresh_home)
    the_shell_works(fresh_home)
    start_and_stop_while_it_stops(fresh_home)

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


def two_starts_at_once_make_one_sandbox(home: Home) -> None:
    both = [begin(home, "sandbox", "start") for _ in range(2)]
    said = [process.communicate(timeout=240) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert any("sandbox is ready" in output for output, _ in said), said
    supervisors = [process.pid for process in processes_of(home) if "sandbox.supervisor" in words(process)]
    status = Supervisor.connect(home).status()
    assert (supervisors, status.state) == ([status.supervisor_pid], "ready")


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


def begin(home: Home, *arguments: str) -> subprocess.Popen[str]:
    """`freehold ARGUMENTS`, which is not waited for."""
    return subprocess.Popen(
        [sys.executable, "-m", "cli", *arguments],
        cwd=CHECKOUT,
        env={**without_chosen_ports(), "FREEHOLD_HOME": str(home.root)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


def words(process: psutil.Process) -> list[str]:
    """Its command; none of one that has ended."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_a_start_while_the_last_supervisor_ends(fresh_home: Home) -> None:
    """Its socket is gone, its lock is not yet."""

    def supervisors() -> set[int]:
        return {one.pid for one in processes_of(fresh_home) if "sandbox.supervisor" in words(one)}

    fresh_home.run.mkdir(parents=True)
    with open(fresh_home.run / "supervisor.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        starting = begin(fresh_home, "sandbox", "start")
        first: set[int] = set()
        while not first:
            first = supervisors()
        until(lambda: not first <= supervisors())
    try:
        said, errors = starting.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        starting.kill()
        starting.communicate()
        raise
    assert starting.returncode == 0, errors
    assert said.startswith("sandbox is ready")


def asks(command: subprocess.Popen[str]) -> bool:
    """Whether the command has a Unix socket open: the supervisor is at the other end."""
    return bool(psutil.Process(command.pid).net_connections(kind="unix"))


def start_and_stop_while_it_stops(fresh_home: Home) -> None:
    supervisor = Supervisor.connect(fresh_home)
    moto = psutil.Process(pids(supervisor)["moto"])
    moto.suspend()  # so that the stop takes until it is woken
    commands = [begin(fresh_home, "sandbox", "stop")]
    until(lambda: supervisor.status().state == "stopping")
    shown = freehold(fresh_home, "sandbox", "status")
    assert (shown.returncode, shown.stderr) == (1, "")
    assert "sandbox is stopping at" in shown.stdout
    process = psutil.Process(supervisor.status().supervisor_pid)
    process.suspend()  # so that whoever asks it something stays connected
    commands += [begin(fresh_home, "sandbox", "stop"), begin(fresh_home, "sandbox", "start")]
    for command in commands[1:]:
        until(partial(asks, command))
    process.resume()
    assert supervisor.status().state == "stopping"  # and both were told so before us
    moto.resume()
    said = [command.communicate(timeout=120) for command in commands]
    assert [command.returncode for command in commands] == [0, 0, 0], said
    assert said[1][0].startswith(("sandbox is stopped", "sandbox is not running"))
    assert said[2][0].startswith("sandbox is ready")
    assert Supervisor.connect(fresh_home).status().state == "ready"
