"""The command without its start: an interpreter that has imported it forks a process for each line."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from fleet.program_host import forker
from fleet.program_host.forker import Task
from sandbox.home import CHECKOUT

_SERVER = """
import gc, importlib, socket, sys
from fleet.program_host.forker import Forker
for module in sys.argv[2:]:
    importlib.import_module(module)
gc.freeze()
Forker(socket.socket(fileno=int(sys.argv[1]))).serve()
"""
_ASKED_WRONGLY = ("cli.app", "cli.opening")
"""What a command imports before it knows that it was asked wrongly."""

EVERYTHING = (
    *_ASKED_WRONGLY, "botocore.client", "botocore.session", "cli.activity", "cli.alerts", "cli.cell",
    "cli.following", "cli.live", "cli.plan", "cli.rehearsal", "cli.summary", "fleet.control_database",
    "fleet.engine", "fleet.queue_view", "fleet.tenant_requests", "psycopg", "sandbox.environment",
    "sandbox.stripe_events", "sandbox.supervisor.launch", "services.package",
    "sqlalchemy.dialects.postgresql.psycopg",
)  # fmt: skip
"""What commands import once they are at work: three quarters of a second for each."""


@dataclass(frozen=True)
class ForkedCommand:
    """What an interpreter of its own would do, but that what the command imports at its start was imported without
    the environment of the line."""

    forks: socket.socket

    def run(self, *arguments: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """`environment` is the whole of it. Nobody is at its input."""
        program = str(CHECKOUT / "cli" / "__main__.py")
        task = Task((program, *arguments), str(CHECKOUT), environment)
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            run = forker.start(self.forks, task, output.fileno(), errors.fileno())
            try:
                code = run.code()
            finally:
                run.close()
            output.seek(0)
            errors.seek(0)
            return subprocess.CompletedProcess(arguments, code, output.read(), errors.read())


@contextmanager
def forked_command(modules: Sequence[str] = _ASKED_WRONGLY) -> Iterator[ForkedCommand]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVER, str(theirs.fileno()), *modules],
        cwd=CHECKOUT,
        env={name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PULUMI_"))},
        stdin=subprocess.DEVNULL,
        pass_fds=(theirs.fileno(),),
    )
    theirs.close()
    with ours:
        yield ForkedCommand(ours)
    process.wait(10)
