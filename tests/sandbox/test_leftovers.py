"""What a server that is killed alone leaves in sessions of its own, as Postgres' processes are."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from fleet.processes import ended
from sandbox.home import Home
from sandbox.processes.leftovers import end_workers
from sandbox.processes.postgres import PostgresServer
from sandbox.processes.site import Site
from sandbox.supervisor.definitions import DatabaseDefinition
from sandbox.supervisor.ports import Ports
from sandbox.supervisor.table import ProcessTable
from tests.rehearsal.freehold import until as wait_for
from tests.sandbox.test_processes import spec, until


@contextmanager
def running(program: Path, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([program, "600"], cwd=folder, start_new_session=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_only_the_program_itself_is_ended_and_only_in_that_folder(tmp_path: Path) -> None:
    sleep = shutil.which("sleep")
    assert sleep is not None
    server, folder, elsewhere = tmp_path / "server", tmp_path / "data", tmp_path / "elsewhere"
    shutil.copyfile(os.path.realpath(sleep), server)
    server.chmod(0o755)
    folder.mkdir()
    elsewhere.mkdir()
    with running(server, folder) as worker, running(server, elsewhere) as other, running(Path(sleep), folder) as shell:
        server.unlink()  # as after an upgrade: Linux then says `(deleted)` behind the name
        end_workers("server", folder)
        assert worker.wait(10) == -signal.SIGKILL
        assert other.poll() is None, "another sandbox's"
        assert shell.poll() is None, "somebody who looks at the folder"
    end_workers("server", tmp_path / "that was never there")


def test_a_postgres_starts_on_a_folder_that_no_other_works_on(tmp_path: Path) -> None:
    """Who computed when its server and the supervisor were killed is met by the next start."""
    site = Site(Home(tmp_path / "home"), Ports(tmp_path / "ports.json", {}))
    definition = DatabaseDefinition(name="one", username="a", password="b", database="c", parameters={})
    server = PostgresServer(site, definition, tmp_path / "one")
    prepare, leftovers = server.spec().prepare, server.spec().leftovers
    assert prepare is not None and leftovers is not None
    prepare()
    sleep = shutil.which("sleep")
    assert sleep is not None
    shutil.copyfile(os.path.realpath(sleep), tmp_path / "postgres")
    (tmp_path / "postgres").chmod(0o755)
    for end in (prepare, leftovers):
        with running(tmp_path / "postgres", tmp_path / "one" / "pg") as left:
            end()
            assert left.wait(10) == -signal.SIGKILL


def test_who_is_stopped_is_asked_for_its_leftovers(tmp_path: Path) -> None:
    away = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"]
    text = (
        f"import subprocess\nprint(subprocess.Popen({away!r}, start_new_session=True).pid, flush=True)\ntime.sleep(600)"
    )
    home = Home(tmp_path / "home")

    def child() -> psutil.Process:
        return psutil.Process(int((home.logs / "one.log").read_text()))

    async def run() -> psutil.Process:
        table = ProcessTable(home)
        await table.start([spec(tmp_path, "one", text, leftovers=lambda: child().kill())])
        await until(lambda: (home.logs / "one.log").read_text() != "")
        left = child()
        await table.remove(["one"])
        return left

    left = asyncio.run(run())
    # Nobody of ours waits for it, so it may be there for a moment yet, or as a zombie.
    wait_for(lambda: ended(left))
