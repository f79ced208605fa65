"""Serves the engines' policy plugins: each gets a fork of the process that has imported the pack."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

from fleet.program_host import analyzer, forker
from fleet.program_host.forker import Task
from sandbox import plugin_line
from sandbox.home import SHORT_FOLDER, SOCKET_PATH_LIMIT
from sandbox.plugin_line import Unreadable

_ENTRY = str(Path(__file__).with_name("policy_pack.py"))
_SOCKET = "socket"
_PREFIX = "freehold-policies-"
_YOUNG_SECONDS = 60
"""A younger folder may be without a socket that answers because it is being made."""


def _folder() -> Path:
    """In the temporary folder, unless a socket in there would have too long a path."""
    base = Path(tempfile.gettempdir())
    # mkdtemp adds eight characters of its own.
    socket_path = base / f"{_PREFIX}12345678" / _SOCKET
    if len(os.fsencode(socket_path)) > SOCKET_PATH_LIMIT:
        base = SHORT_FOLDER
    _clear(base)
    return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))


def _clear(base: Path) -> None:
    """Remove what this user's processes left there when they were killed."""
    for folder in base.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another process clears too
            about = folder.lstat()
            young = time.time() - about.st_mtime < _YOUNG_SECONDS
            if about.st_uid == os.getuid() and not young and not _answers(folder / _SOCKET):
                shutil.rmtree(folder)


def _answers(address: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        try:
            asking.connect(str(address))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        return True


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
                    asked = plugin_line.read(lines)
                if asked is None:
                    return
                arguments, folder, variables = asked
                task = Task((_ENTRY, *arguments), folder, plugin_line.environment(variables))
                run = forker.start(self._forks, task, *outputs)
            except Unreadable as error:
                print(f"freehold: {error}", file=sys.stderr, flush=True)
                return
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
