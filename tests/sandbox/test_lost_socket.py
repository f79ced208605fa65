"""A supervisor whose socket somebody removed, as those do who clean up /tmp: it is found again, and can be stopped."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from errors import FreeholdError
from sandbox.home import Home
from sandbox.supervisor import client, pidfile
from sandbox.supervisor.client import NotRunning, Supervisor
from sandbox.supervisor.door import Door
from sandbox.supervisor.launch import start
from sandbox.supervisor.pidfile import ProcessIdentity
from tests.sandbox.command import freehold, processes_of
from tests.temporary_sandbox import without_chosen_ports


@pytest.mark.sandbox
def test_commands_find_the_sandbox_and_stop_ends_all_of_it(fresh_home: Home) -> None:
    supervisor, _ = start(fresh_home, environment=without_chosen_ports())
    before = supervisor.status().supervisor_pid
    for command, said in (
        ("start", "sandbox is running already"),
        ("status", f"sandbox is ready at {fresh_home.root}"),
    ):
        fresh_home.socket("supervisor").unlink()
        run = freehold(fresh_home, "sandbox", command)
        assert run.returncode == 0 and said in run.stdout, run
        assert supervisor.status().supervisor_pid == before
    fresh_home.socket("supervisor").unlink()
    stopped = freehold(fresh_home, "sandbox", "stop")
    assert stopped.returncode == 0 and stopped.stdout.startswith("sandbox is stopped"), stopped
    assert not processes_of(fresh_home)
    with pytest.raises(NotRunning):
        Supervisor.connect(fresh_home)


def test_one_that_cannot_be_reached_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_SOCKET_SECONDS", 0.1)
    home = Home(tmp_path)
    home.run.mkdir()
    own = ProcessIdentity.own()
    pidfile.write(home.lock, own)
    with pytest.raises(FreeholdError) as caught:
        Supervisor.connect(home)
    assert caught.value.line() == (
        f"{home.socket('supervisor')}: the supervisor runs (process {own.pid}) and does not answer; "
        f"kill {own.pid}, which ends the sandbox, then ./freehold sandbox start"
    )
    for dead in (own.model_copy(update={"start_ticks": own.start_ticks - 1}), None):
        home.lock.write_text("" if dead is None else dead.model_dump_json())
        with pytest.raises(NotRunning):
            Supervisor.connect(home)


def test_another_supervisors_socket_stays(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def run() -> None:
        path = tmp_path / "supervisor.sock"
        door = Door(lambda: path, serve, 1024)
        await door.open()
        other = Door(lambda: path, serve, 1024)
        await other.open()
        made = path.stat()
        door.close()
        await door.keep_open()
        assert path.stat().st_ino == made.st_ino
        other.close()
        assert not path.exists()

    asyncio.run(run())
