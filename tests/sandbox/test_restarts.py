"""How a process is kept: how often and when it is started again, with what environment, and what becomes of its log."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.home import Home
from sandbox.supervisor import process
from sandbox.supervisor.process import ManagedProcess
from sandbox.supervisor.spec import NotReady, ProcessSpec
from sandbox.supervisor.table import ProcessTable


def fine() -> None:
    """A check that is always content."""


def never() -> None:
    raise NotReady("no answer")


def shell(name: str, line: str, check: Callable[[], None] = never, **fields: object) -> ProcessSpec:
    return ProcessSpec(name, "test", ("/bin/sh", "-c", line), check, **fields)  # type: ignore[arg-type]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited before each restart; nothing is waited for."""
    noted, really = list[float](), asyncio.sleep

    async def sleep(seconds: float) -> None:
        if seconds == process._READY_POLL_SECONDS:
            await really(0.005)
            return
        noted.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return noted


async def kept_until_given_up(one: ManagedProcess) -> None:
    one.start()
    assert one._keeper is not None
    await asyncio.wait_for(one._keeper, 20)


def test_one_that_ends_again_and_again_is_given_up_although_it_was_ready(
    home: Home, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pauses grow while it is never ready, but not without end."""
    monkeypatch.setattr(process, "_RESTARTS_BEFORE_READY", 8)
    monkeypatch.setattr(process, "_RESTARTS", 4)
    asyncio.run(kept_until_given_up(one := ManagedProcess(shell("one", "exit 3"), home)))
    assert one.status().message == "given up after 8 restarts: ended with exit code 3"
    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]
    asyncio.run(kept_until_given_up(one := ManagedProcess(shell("one", "sleep 0.1; exit 3", fine), home)))
    assert one.status().message == "given up after 4 restarts: ended with exit code 3"
    assert pauses[8:] == [0.2] * 4, "whoever was ready is started again at once"


def test_dependents_end_before_what_they_need(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A runner hands back what it has in hand to a database that is there still."""
    ended, really = list[str](), ManagedProcess.stop

    async def stop(one: ManagedProcess) -> None:
        await really(one)
        ended.append(one.spec.name)

    async def run() -> None:
        table = ProcessTable(home)
        specs = [
            shell("database", "exec sleep 600", fine),
            shell("runner", "exec sleep 600", fine, after=("database",)),
        ]
        await table.start([*specs, shell("alone", "exec sleep 600", fine)])
        monkeypatch.setattr(ManagedProcess, "stop", stop)
        await table.remove(table.names())
        assert table.names() == []

    asyncio.run(run())
    assert set(ended[:2]) == {"runner", "alone"} and ended[2] == "database"


def test_restarts_of_long_ago_do_not_count(home: Home, pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_RESTART_WINDOW_SECONDS", 0.0)

    async def run() -> int:
        one = ManagedProcess(shell("one", "exit 3"), home)
        one.start()
        while one.status().restarts < 5 and one.state != "failed":
            await asyncio.to_thread(time.sleep, 0.005)
        await one.stop()
        return one.status().restarts

    assert asyncio.run(run()) >= 5


def test_a_check_that_is_missed_now_and_then_is_no_reason_to_restart(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that compiles on every core makes a server miss a few."""
    monkeypatch.setattr(process, "_HEALTH_SECONDS", 0.005)
    asked = 0

    def check() -> None:
        nonlocal asked
        asked += 1
        if asked > 1 and asked % process._HEALTH_FAILURES:  # five in a row, then an answer
            raise NotReady("busy")

    async def run() -> tuple[int, set[str]]:
        one = ManagedProcess(ProcessSpec("one", "test", ("sleep", "600"), check), home)
        one.start()
        seen = set[str]()
        while asked < 20:
            seen.add(one.state)
            await asyncio.sleep(0.001)
        restarts = one.status().restarts
        await one.stop()
        return restarts, seen

    restarts, seen = asyncio.run(run())
    assert restarts == 0
    assert {"ready", "unhealthy"} <= seen


def test_a_log_goes_on_over_restarts_and_is_put_aside_when_it_is_long(
    home: Home, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_LOG_LIMIT_BYTES", 20)
    asyncio.run(kept_until_given_up(ManagedProcess(shell("one", "echo 12345678; exit 3"), home)))
    assert (home.logs / "one.log").read_text() == "12345678\n" * 3
    asyncio.run(kept_until_given_up(ManagedProcess(shell("one", "echo again; exit 3"), home)))
    assert (home.logs / "one.log.1").read_text() == "12345678\n" * 3
    assert (home.logs / "one.log").read_text() == "again\n" * 3


def test_last_words_are_not_without_end(home: Home, pauses: list[float]) -> None:
    line = "head -c 2000 /dev/zero | tr '\\0' x; exit 3"
    asyncio.run(kept_until_given_up(one := ManagedProcess(shell("one", line), home)))
    assert one.status().message == f"given up after 2 restarts: ended with exit code 3: {'x' * 300}"


def test_a_process_inherits_none_of_the_supervisor_s_secrets(
    home: Home, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real")
    asyncio.run(kept_until_given_up(ManagedProcess(shell("one", "env; exit 3", environment={"OF": "its own"}), home)))
    told = dict(line.partition("=")[::2] for line in (home.logs / "one.log").read_text().splitlines())
    assert set(told) - {"PWD", "SHLVL", "_", "OLDPWD"} == {"PATH", "HOME", "LANG", "FREEHOLD_HOME", "OF"}
    assert (told["OF"], told["HOME"], told["FREEHOLD_HOME"]) == ("its own", str(home.root), str(home.root))


def test_a_stop_in_the_midst_of_a_start_leaves_no_process(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was not known yet could not be ended."""
    made, really = list[asyncio.subprocess.Process](), asyncio.create_subprocess_exec

    async def run() -> None:
        begun = asyncio.Event()

        async def slow(*arguments: str, **options: object) -> asyncio.subprocess.Process:
            made.append(await really(*arguments, **options))  # type: ignore[arg-type]
            begun.set()
            await asyncio.sleep(0.05)
            return made[-1]

        monkeypatch.setattr(asyncio, "create_subprocess_exec", slow)
        one = ManagedProcess(ProcessSpec("one", "test", ("sleep", "600"), fine), home)
        one.start()
        await asyncio.wait_for(begun.wait(), 20)
        await one.stop()
        ended = made[0].returncode is not None
        if not ended:
            made[0].kill()
            await made[0].wait()
        assert ended, "it runs on"

    asyncio.run(run())
    assert list(home.run.glob("*.pid")) == []
