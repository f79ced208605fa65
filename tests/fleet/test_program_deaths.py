"""What becomes of runs of a program where the system ends processes, or has none to give."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from unittest.mock import Mock

import grpc
import psutil
from pulumi.runtime.proto import language_pb2

from errors import TransientError
from fleet.events import Progress
from fleet.failures import explain
from fleet.processes import ended
from fleet.program_host.client import ProgramHost
from fleet.program_host.forker import Task
from fleet.program_host.language import Language, Runs
from tests.fleet.test_program_host import _answers, _forker, _pid, _run, _script
from tests.rehearsal.freehold import until


def test_where_there_is_no_process_to_be_had_the_next_run_may_get_one(tmp_path: Path) -> None:
    fork, troubles = os.fork, [BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")]

    def scarce() -> int:
        if troubles:
            raise troubles.pop()
        return fork()

    task = Task((_script(tmp_path, "print('ran')"),), str(tmp_path), {})
    with _forker(lambda: setattr(os, "fork", scarce)) as asking:
        told = "freehold: no process for the program: Resource temporarily unavailable\n"
        assert _run(asking, task) == (-9, told)
        assert _run(asking, task) == (0, "ran\n")


def test_a_program_that_was_killed_is_told_as_what_may_pass(tmp_path: Path) -> None:
    executor = tmp_path / "pulumi-language-python-exec"
    executor.write_text("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    executor.chmod(0o700)
    with _forker() as asking:
        language = Language(asking, Runs(), {"PATH": str(tmp_path)})
        answer = language.Run(language_pb2.RunRequest(pwd=str(tmp_path)), Mock(grpc.ServicerContext))
    events = Progress()
    events.errors.append(("", answer.error))
    assert isinstance(explain("acme", "up", events, "", tmp_path), TransientError)


def test_a_host_that_can_fork_no_more_is_replaced(tmp_path: Path) -> None:
    with (
        ProgramHost("tests.rehearsal.plain_sdk", log=tmp_path / "log") as programs,
        programs.serving({}) as served,
    ):
        before = psutil.Process(_pid(programs))
        (forker,) = before.children()
        forker.kill()

        def replaced() -> bool:
            with programs.serving({}) as other:
                return _pid(programs) != before.pid and _answers(other.address)

        until(replaced)
        assert _answers(served.address)  # what it serves, it serves to its end
    until(lambda: ended(before))
