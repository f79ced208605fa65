"""API servers that the host has talked to: engines that come one after another find them warm."""

from __future__ import annotations

import shutil
import threading
from collections import OrderedDict
from collections.abc import Mapping

from sandbox.providers.kubernetes.connection import Connection
from sandbox.providers.kubernetes.discovery import Discovery
from sandbox.providers.kubernetes.kubeconfig import Access, ExecLogin

_LIMIT = 64
_lock = threading.Lock()
_known: OrderedDict[tuple[Access, tuple[tuple[str, str], ...]], Cluster] = OrderedDict()


class Cluster:
    """One API server as one user, and the kinds that it serves."""

    def __init__(self, access: Access, environment: Mapping[str, str]) -> None:
        self.connection = Connection(access, environment)
        self.discovery = Discovery(self.connection)


def cluster(access: Access, environment: Mapping[str, str]) -> Cluster:
    """The cluster of this access, with its connections, discovered kinds and login token kept from the last use."""
    key = (access, _reads(access.login, environment) if access.login else ())
    with _lock:
        found = _known.get(key)
        if found is None:
            found = _known[key] = Cluster(access, environment)
            if len(_known) > _LIMIT:
                _known.popitem(last=False)  # its sockets close when its last user lets go of it
        _known.move_to_end(key)
        return found


def _reads(login: ExecLogin, environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What a login command's token depends on, for it is only shared where this is the same.

    Of PATH it is the command that is found there: each run of ours has a folder of its own on it.
    """
    found = shutil.which(login.command, path=environment.get("PATH"))
    return tuple(sorted({**environment, "PATH": found or ""}.items()))
