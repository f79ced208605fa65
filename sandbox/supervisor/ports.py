"""Ports on the loopback: picked once and remembered, or set by the user."""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import threading
from collections.abc import Container, Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from errors import FreeholdError
from sandbox.files import damaged, unreadable, write_atomically

# Below the kernel's ephemeral range (32768 and up): a client's own port must never take the place of a server's.
_FIRST, _LAST = 20000, 32000
_VARIABLE = re.compile(r"FREEHOLD_\w+_PORT")
_PORTS = TypeAdapter(dict[str, int])


class Ports:
    """The ports of one sandbox, by process name, kept in a file so that endpoints stay the same over restarts.

    Raises a FreeholdError where one of the environment's FREEHOLD_*_PORT variables is no port, or the file is damaged.
    """

    def __init__(self, path: Path, environment: Mapping[str, str] | None = None) -> None:
        self._path = path
        self._environment = os.environ if environment is None else environment
        self._ports = _read(path)
        self._lock = threading.Lock()
        for variable in filter(_VARIABLE.fullmatch, self._environment):
            self._set_by(variable)

    def get(self, name: str) -> int | None:
        return self._ports.get(name)

    def assign(self, name: str, variable: str | None = None) -> int:
        """The port of process `name`: remembered, or set by the environment's `variable`, or free.

        Another process than `name` that was given the variable's port first keeps it: then `name` gets a free one.
        """
        wanted = self._set_by(variable) if variable else None
        with self._lock:
            known = self._ports.get(name)
            if wanted is not None and wanted not in (port for other, port in self._ports.items() if other != name):
                chosen = wanted
            else:
                chosen = known if known is not None else self._free()
            if chosen != known:
                self._ports[name] = chosen
                self._save()
        return chosen

    def forget(self, name: str) -> None:
        with self._lock:
            if self._ports.pop(name, None) is not None:
                self._save()

    def leave_taken(self, name: str) -> None:
        """Forget the port of `name` where another program has come to listen on it. For what is asked where it is each
        time that somebody wants it."""
        port = self.get(name)
        if port is not None and not is_free(port):
            self.forget(name)

    def require_free(self, name: str, variable: str | None = None) -> None:
        """Raises a one-line error where another program listens on the port of `name`."""
        port = self._ports[name]
        if not is_free(port):
            mend = "end the program that holds it"
            if variable:
                mend += f", or set {variable} to a free port"
            raise FreeholdError(f"port {port} of 127.0.0.1 is taken", where=name, mend=mend)

    def _set_by(self, variable: str) -> int | None:
        text = self._environment.get(variable, "")
        if not text:
            return None
        if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
            mend = "set a number from 1 to 65535, or unset it"
            raise FreeholdError(f"{text!r} is no port", where=variable, mend=mend)
        return int(text)

    def _free(self) -> int:
        # Every sandbox starts its search at a place of its own, so that two that start at once rarely meet.
        return free_port(str(self._path.resolve()), set(self._ports.values()))

    def _save(self) -> None:
        write_atomically(self._path, json.dumps(self._ports, indent=1, sort_keys=True).encode(), 0o644)


def _read(path: Path) -> dict[str, int]:
    try:
        return _PORTS.validate_json(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise unreadable(path, error) from None
    except ValidationError:
        raise damaged(path) from None


def free_port(seed: str, taken: Container[int] = ()) -> int:
    """A port that nobody listens on, nor is among those `taken`; different seeds begin to look at different places.
    Raises FreeholdError where there is none."""
    span = _LAST - _FIRST
    start = int.from_bytes(hashlib.sha256(os.fsencode(seed)).digest()[:4]) % span
    for offset in range(span):
        port = _FIRST + (start + offset) % span
        if port not in taken and is_free(port):
            return port
    raise FreeholdError(f"no free port between {_FIRST} and {_LAST}", where="127.0.0.1")


def is_free(port: int) -> bool:
    """Whether a server could listen on the port of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a connection in TIME_WAIT is no hindrance, a listener is.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
