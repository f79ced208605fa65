"""Forks the processes that run the program, from one that has imported it and has no thread but its first."""

from __future__ import annotations

import json
import os
import runpy
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn, Self

_DESCRIPTORS = 4


@dataclass(frozen=True)
class Task:
    """A script to run: `arguments` begins with its path, `environment` is the whole of it."""

    arguments: Sequence[str]
    folder: str
    environment: Mapping[str, str]

    def write(self) -> int:
        """A descriptor to read it from: what is in an environment belongs into no file and no argument."""
        descriptor = os.memfd_create("task")
        os.pwrite(descriptor, json.dumps(asdict(self)).encode(), 0)
        return descriptor

    @classmethod
    def read(cls, descriptor: int) -> Self:
        return cls(**json.loads(os.pread(descriptor, os.fstat(descriptor).st_size, 0)))


class Run:
    """One task that runs."""

    def __init__(self, ended: socket.socket) -> None:
        self.ended = ended

    def code(self) -> int:
        """Wait for its exit code; negative is the signal that ended it."""
        said = self.ended.recv(16)
        return int(said) if said else -signal.SIGKILL

    def end(self) -> None:
        """Kill it, if it still runs."""
        try:
            self.ended.shutdown(socket.SHUT_WR)
        except OSError:
            return  # it has ended

    def close(self) -> None:
        self.ended.close()


class HeardRun(Run):
    """One whose output is read here."""

    def __init__(self, ended: socket.socket, output: int) -> None:
        super().__init__(ended)
        self.output = output
        """What it prints, to be read to its end."""

    def close(self) -> None:
        super().close()
        os.close(self.output)


def start(forker: socket.socket, task: Task, output: int, errors: int) -> Run:
    """Have the forker at the other end of `forker` run `task`, which writes to these two descriptors."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    described = task.write()
    try:
        socket.send_fds(forker, [b"run"], [described, output, errors, theirs.fileno()])
    finally:
        theirs.close()
        os.close(described)
    return Run(ours)


def start_heard(forker: socket.socket, task: Task) -> HeardRun:
    """The same, and read what it writes."""
    reading, writing = os.pipe()
    try:
        run = start(forker, task, writing, writing)
    finally:
        os.close(writing)
    return HeardRun(run.ended, reading)


class Forker:
    """Forks for whoever is at the other end of `requests`, until that end is closed; then it ends what runs."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._selector = selectors.DefaultSelector()
        self._children: dict[int, tuple[int, socket.socket]] = {}

    def serve(self) -> None:
        self._selector.register(self._requests, selectors.EVENT_READ)
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._requests:
                    if not self._accept():
                        return
                elif key.data is not None:
                    self._reap(key.data)
                else:
                    self._kill(key.fd)

    def _accept(self) -> bool:
        said, descriptors, _, _ = socket.recv_fds(self._requests, 16, _DESCRIPTORS)
        if not said:
            for child, _ in self._children.values():
                os.kill(child, signal.SIGKILL)
            return False
        described, output, errors, ended = descriptors
        try:
            child = os.fork()
        except OSError as error:  # too many processes, or too little memory, for now: who asked hears that it was ended
            with suppress(OSError):
                os.write(errors, f"freehold: no process for the program: {error.strerror}\n".encode())
            for descriptor in descriptors:
                os.close(descriptor)
            return True
        if child == 0:
            os.close(ended)
            _become(described, output, errors)
        for descriptor in (described, output, errors):
            os.close(descriptor)
        asker = socket.socket(fileno=ended)
        watched = os.pidfd_open(child)
        self._children[watched] = (child, asker)
        self._selector.register(watched, selectors.EVENT_READ, data=watched)
        self._selector.register(asker, selectors.EVENT_READ)
        return True

    def _reap(self, watched: int) -> None:
        child, asker = self._children.pop(watched)
        self._selector.unregister(watched)
        os.close(watched)
        if asker.fileno() in self._selector.get_map():
            self._selector.unregister(asker)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        with suppress(OSError):  # whoever asked is gone
            asker.send(str(code).encode())
        asker.close()

    def _kill(self, descriptor: int) -> None:
        """Whoever asked has turned away."""
        for child, asker in self._children.values():
            if asker.fileno() == descriptor:
                self._selector.unregister(asker)
                os.kill(child, signal.SIGKILL)


def _become(described: int, output: int, errors: int) -> NoReturn:
    """Run the task as a new interpreter would, and end."""
    code = 1
    try:
        task = Task.read(described)
        with open(os.devnull, "rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        os.dup2(output, 1)
        os.dup2(errors, 2)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
        sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
        os.environ.clear()
        os.environ.update(task.environment)
        os.chdir(task.folder)
        sys.argv = list(task.arguments)
        sys.path[0] = str(Path(task.arguments[0]).parent)
        runpy.run_path(task.arguments[0], run_name="__main__")
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
