"""Serves the engines' policy plugins: each gets a fork of the process that has imported the pack."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

from fleet.program_host import analyzer, forker
from fleet.program_host.forker import Task
from sandbox.home import SHORT_FOLDER, SOCKET_PATH_LIMIT

_ENTRY = str(Path(__file__).with_name("policy_pack.py"))
_LINE_LIMIT = 1 << 22
_SOCKET = "socket"


def _folder() -> Path:
    """In the temporary folder, unless a socket in there would have too long a path."""
    base = Path(tempfile.gettempdir())
    # mkdtemp adds eight characters of its own.
    socket_path = base / "freehold-policies-12345678" / _SOCKET
    if len(os.fsencode(socket_path)) > SOCKET_PATH_LIMIT:
        base = SHORT_FOLDER
    return Path(tempfile.mkdtemp(prefix="freehold-policies-", dir=base))


class PolicyPlugins:
    """A folder, to be first on an engine's PATH, with the plugin's command in it; only this user can reach it."""

    def __init__(self, forks: socket.socket) -> None:
        self._forks = forks
        self.folder = _folder()
        address = self.folder / _SOCKET
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(address))
        self._listener.listen(64)
        command = self.folder / analyzer.COMMAND
        line = [sys.executable, "-I", "-S", analyzer.__file__, str(address)]
        command.write_text(f'#!/bin/sh\nexec {shlex.join(line)} "$@"\n')
        command.chmod(0o700)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _accept(self) -> None:
        while True:
            try:
                plugin, _ = self._listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._serve, args=(plugin,), daemon=True).start()

    def _serve(self, plugin: socket.socket) -> None:
        with plugin:
            said, outputs, _, _ = socket.recv_fds(plugin, 1, 2)
            try:
                if not said or len(outputs) != 2:
                    return
                with plugin.makefile("rb") as lines:
                    request = json.loads(lines.readline(_LINE_LIMIT))
                arguments = (_ENTRY, *request["arguments"])
                run = forker.start(self._forks, Task(arguments, request["folder"], request["environment"]), *outputs)
            finally:
                for descriptor in outputs:
                    os.close(descriptor)
            try:
                # The plugin says nothing more: when its end closes, the engine has ended it.
                threading.Thread(target=self._end_with, args=(plugin, run), daemon=True).start()
                code = run.code()
                plugin.sendall(f"{code if code >= 0 else 1}\n".encode())
            except OSError:
                return  # it has gone
            finally:
                run.close()

    @staticmethod
    def _end_with(plugin: socket.socket, run: forker.Run) -> None:
        with suppress(OSError):
            plugin.recv(1)
        run.end()
