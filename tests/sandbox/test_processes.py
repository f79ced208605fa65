"""The keeping of processes, with small programs: order, restarts, giving up, ending, orphans, stale pid files."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from errors import FreeholdError
from sandbox.home import Home
from sandbox.supervisor import pidfile
from sandbox.supervisor.pidfile import ProcessIdentity
from sandbox.supervisor.privileges import launch_command
from sandbox.supervisor.spec import NotReady, ProcessSpec
from sandbox.supervisor.table import ProcessTable


def script(text: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", text)


def exists(path: Path) -> Callable[[], None]:
    def check() -> None:
        if not path.exists():
            raise NotReady(f"{path.name} is not there")

    return check


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        await asyncio.sleep(0.02)


def spec(tmp_path: Path, name: str, text: str, **fields: object) -> ProcessSpec:
    """A program that is ready when it has touched the file of its name."""
    touch = f"import pathlib, os, time, signal, sys; pathlib.Path({str(tmp_path / name)!r}).touch()\n"
    values = {"name": name, "kind": "test", "command": script(touch + text), "check": exists(tmp_path / name), **fields}
    return ProcessSpec(**values)  # type: ignore[arg-type]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


FOREVER = "time.sleep(600)"


def test_dependents_start_after_what_they_need_and_independents_at_once(home: Home, tmp_path: Path) -> None:
    async def run() -> None:
        table = ProcessTable(home)
        late = f"import pathlib\nassert pathlib.Path({str(tmp_path / 'slow')!r}).exists()\n" + FOREVER
        slow = ProcessSpec(
            "slow",
            "test",
            script(
                f"import time, pathlib\ntime.sleep(0.5)\npathlib.Path({str(tmp_path / 'slow')!r}).touch()\n{FOREVER}"
            ),
            exists(tmp_path / "slow"),
        )
        other = ProcessSpec(
            "other",
            "test",
            script(
                f"import time, pathlib\ntime.sleep(0.5)\npathlib.Path({str(tmp_path / 'other')!r}).touch()\n{FOREVER}"
            ),
            exists(tmp_path / "other"),
        )
        await table.start([spec(tmp_path, "dependent", late, after=("slow",)), slow, other])
        begun = {one.name: os.stat(f"/proc/{one.pid}").st_ctime for one in table.status()}
        states = [one.state for one in table.status()]
        await table.remove(table.names())
        assert states == ["ready", "ready", "ready"]
        assert abs(begun["slow"] - begun["other"]) < 0.4, "the independent ones did not start together"
        assert begun["dependent"] - begun["slow"] > 0.4

    asyncio.run(run())


def test_a_killed_process_comes_back_and_is_counted(home: Home, tmp_path: Path) -> None:
    async def run() -> None:
        table = ProcessTable(home)
        await table.start([spec(tmp_path, "one", FOREVER)])
        first = table.status()[0]
        assert first.pid is not None
        os.kill(first.pid, signal.SIGKILL)
        await until(lambda: table.status()[0].restarts == 1)
        await asyncio.wait_for(table["one"].ready(), 20)
        now = table.status()[0]
        assert now.pid not in (None, first.pid)
        assert (now.state, now.restarts) == ("ready", 1)
        await table.remove(["one"])
        assert now.pid is not None
        assert ProcessIdentity.of(now.pid) is None

    asyncio.run(run())


def test_one_that_never_starts_is_given_up_with_its_last_words(home: Home, tmp_path: Path) -> None:
    async def run() -> None:
        table = ProcessTable(home)
        broken = ProcessSpec(
            "broken", "test", script("import sys; sys.exit('no such directory: /nowhere')"), exists(tmp_path / "never")
        )
        with pytest.raises(FreeholdError) as caught:
            await table.start([broken])
        line = caught.value.line()
        assert "given up after 2 restarts: ended with exit code 1: no such directory: /nowhere" in line
        assert str(home.logs / "broken.log") in line
        assert "\n" not in line
        assert table.status()[0].state == "failed"
        await table.remove(["broken"])

    asyncio.run(run())


def test_one_whose_check_breaks_is_given_up_and_not_waited_for_for_ever(home: Home, tmp_path: Path) -> None:
    def check() -> None:
        raise ValueError("of no kind that a check raises")

    async def run() -> None:
        table = ProcessTable(home)
        with pytest.raises(FreeholdError, match="one: ValueError: of no kind that a check raises"):
            await asyncio.wait_for(table.start([spec(tmp_path, "one", FOREVER, check=check)]), 20)
        assert (table.status()[0].state, table.status()[0].pid) == ("failed", None)
        await table.remove(["one"])

    asyncio.run(run())


def test_a_failed_dependency_is_the_error_and_the_dependent_never_starts(home: Home, tmp_path: Path) -> None:
    async def run() -> None:
        table = ProcessTable(home)
        broken = ProcessSpec("broken", "test", script("raise SystemExit('out of order')"), exists(tmp_path / "never"))
        with pytest.raises(FreeholdError, match=r"^broken: given up"):
            await table.start([broken, spec(tmp_path, "dependent", FOREVER, after=("broken",))])
        assert not (tmp_path / "dependent").exists()
        await table.remove(table.names())

    asyncio.run(run())


def test_stopping_ends_children_too_and_one_that_ignores_the_signal(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.supervisor.process._STOP_SECONDS", 0.5)
    child = tmp_path / "child"
    text = (
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "import subprocess\n"
        f"made = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"pathlib.Path({str(child)!r}).write_text(str(made.pid))\n" + FOREVER
    )

    async def run() -> tuple[int, int]:
        table = ProcessTable(home)
        await table.start([spec(tmp_path, "stubborn", text, check=exists(child))])
        await asyncio.sleep(0.3)
        parent = table.status()[0].pid
        assert parent is not None
        await table.remove(["stubborn"])
        return parent, int(child.read_text())

    for pid in asyncio.run(run()):
        identity = ProcessIdentity.of(pid)
        assert identity is None or not identity.is_alive()
    assert list(home.run.glob("*.pid")) == []


def test_a_hung_process_is_restarted(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.supervisor.process._HEALTH_SECONDS", 0.05)
    hung = tmp_path / "hung"

    def check() -> None:
        if hung.exists():
            raise NotReady("does not answer")

    async def run() -> None:
        table = ProcessTable(home)
        await table.start([spec(tmp_path, "one", FOREVER, check=check)])
        before = table.status()[0].pid
        hung.touch()
        await until(lambda: table.status()[0].restarts > 0)
        hung.unlink()
        await asyncio.wait_for(table["one"].ready(), 20)
        after = table.status()[0]
        assert after.pid != before
        assert after.state == "ready"
        await table.remove(["one"])

    asyncio.run(run())


def test_an_orphan_is_ended_and_a_stale_pid_file_hurts_nobody(home: Home) -> None:
    home.run.mkdir(parents=True)
    orphan = subprocess.Popen(script("import time; time.sleep(600)"), start_new_session=True)
    bystander = subprocess.Popen(script("import time; time.sleep(600)"), start_new_session=True)
    try:
        ours, other = ProcessIdentity.of(orphan.pid), ProcessIdentity.of(bystander.pid)
        assert ours is not None
        assert other is not None
        pidfile.write(home.run / "orphan.pid", ours)
        # The pid was given to another process since: an earlier start time, and an earlier boot.
        stale = [
            other.model_copy(update={"start_ticks": other.start_ticks - 1}),
            other.model_copy(update={"boot_id": "00000000-0000-0000-0000-000000000000"}),
        ]
        for number, identity in enumerate(stale):
            pidfile.write(home.run / f"stale-{number}.pid", identity)
        (home.run / "cut-short.pid").write_text('{"pid": 1')
        ended = asyncio.run(ProcessTable(home).end_orphans())
        assert ended == 1
        assert orphan.wait(10) == -signal.SIGTERM
        assert bystander.poll() is None
        assert list(home.run.glob("*.pid")) == []
    finally:
        for process in (orphan, bystander):
            process.kill()
            process.wait()


@pytest.mark.parametrize("unprivileged", [False, True])
def test_a_process_ends_with_a_supervisor_that_is_killed(tmp_path: Path, unprivileged: bool) -> None:
    """Also one that gives up root, where there is root to give up."""
    started = ProcessSpec("kept", "test", ("sleep", "600"), exists(tmp_path), unprivileged=unprivileged)
    launch = f"import subprocess, sys, time; print(subprocess.Popen(sys.argv[1:]).pid, flush=True); {FOREVER}"
    with subprocess.Popen(
        [*script(launch), *launch_command(started)], stdout=subprocess.PIPE, start_new_session=True
    ) as supervisor:
        try:
            assert supervisor.stdout is not None
            pid = int(supervisor.stdout.readline())
            asyncio.run(until(lambda: psutil.Process(pid).name() == "sleep"))
            identity = ProcessIdentity.of(pid)
        finally:
            supervisor.kill()
    assert identity is not None
    try:
        asyncio.run(until(lambda: not identity.is_alive()))
    finally:
        if identity.is_alive():
            os.kill(pid, signal.SIGKILL)


def test_descendants_of_a_dead_leader_are_found(home: Home, tmp_path: Path) -> None:
    """A server's children can outlive it: kill -9 of Postgres' first process leaves its session."""
    note = tmp_path / "child"
    leader = subprocess.Popen(
        script(
            "import os, time\n"
            "pid = os.fork()\n"
            "if pid == 0:\n    time.sleep(600)\n"
            f"open({str(note)!r}, 'w').write(str(pid))\ntime.sleep(600)\n"
        ),
        start_new_session=True,
    )
    while not note.exists() or not note.read_text():
        time.sleep(0.02)
    identity = ProcessIdentity.of(leader.pid)
    assert identity is not None
    leader.kill()
    leader.wait()
    child = int(note.read_text())
    assert identity.session_members() == [child]
    assert identity.end(grace_seconds=5)
    assert identity.session_members() == []


def test_a_log_that_cannot_be_written_is_one_line(home: Home, tmp_path: Path) -> None:
    home.root.mkdir(parents=True)
    home.logs.write_text("a file where the folder should be")

    async def run() -> None:
        table = ProcessTable(home)
        with pytest.raises(FreeholdError, match=r"one\.log: cannot write: .*; free some space or correct"):
            await table.start([spec(tmp_path, "one", FOREVER)])

    asyncio.run(run())


def test_nothing_is_started_once_all_were_stopped(home: Home, tmp_path: Path) -> None:
    """As an update that has stopped its server, and is about to start it again, while the sandbox stops."""

    async def run() -> None:
        table = ProcessTable(home)
        slowly = "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.5), sys.exit()))"
        one = spec(tmp_path, "one", f"{slowly}\npathlib.Path({str(tmp_path / 'trapped')!r}).touch()\n{FOREVER}")
        await table.start([one])
        await until((tmp_path / "trapped").exists)
        updating = asyncio.create_task(table.replace(one))
        await until(lambda: table["one"].state == "stopping")
        await table.close()
        with pytest.raises(FreeholdError, match=r"^sandbox: is stopping; "):
            await updating
        assert table.names() == []

    asyncio.run(run())


def test_why_a_server_ended_is_told_and_not_that_it_is_shut_down(home: Home, tmp_path: Path) -> None:
    said = 'print("x LOG:  starting\\nx FATAL:  the reason\\nx LOG:  database system is shut down", file=sys.stderr)'

    async def run() -> None:
        table = ProcessTable(home)
        with pytest.raises(FreeholdError, match="ended with exit code 1: x FATAL:  the reason;"):
            await table.start([spec(tmp_path, "one", f"os.unlink({str(tmp_path / 'one')!r})\n{said}\nsys.exit(1)")])

    asyncio.run(run())


def test_what_it_said_in_an_earlier_life_is_not_told_of_this_one(home: Home, tmp_path: Path) -> None:
    home.logs.mkdir(parents=True)
    (home.logs / "one.log").write_text("x FATAL:  of yesterday\n")

    async def run() -> None:
        table = ProcessTable(home)
        last = f"os.unlink({str(tmp_path / 'one')!r})\nprint('today', file=sys.stderr)\nsys.exit(1)"
        with pytest.raises(FreeholdError, match="ended with exit code 1: today;"):
            await table.start([spec(tmp_path, "one", last)])

    asyncio.run(run())
