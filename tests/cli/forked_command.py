"""The command without its start: an interpreter that has imported it forks a process for each line."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from fleet.program_host import forker
from fleet.program_host.forker import Task
from sandbox.home import CHECKOUT

_SERVER = """
import gc, os, socket, sys
import cli.app, cli.opening
from fleet.program_host.forker import Forker
gc.freeze()
Forker(socket.socket(fileno=int(sys.argv[1]))).serve()
"""


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
def forked_command() -> Iterator[ForkedCommand]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVER, str(theirs.fileno())],
        cwd=CHECKOUT,
        env={name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PULUMI_"))},
        stdin=subprocess.DEVNULL,
        pass_fds=(theirs.fileno(),),
    )
    theirs.close()
    with ours:
        yield ForkedCommand(ours)
    process.wait(10)
