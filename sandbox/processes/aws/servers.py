"""Clusters, databases and caches end with their records, whichever client deletes those.

A stand-in deletes both. The `aws` command deletes the record only: the server would run on with its data, and be in the
way of the next one of that name.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection

from errors import FreeholdError
from sandbox.home import Home
from sandbox.processes.aws.decisions import Server
from sandbox.supervisor.client import NotRunning, Supervisor
from sandbox.supervisor.messages import Status

_POLL_SECONDS = 0.5

_DELETE: dict[str, Callable[[Supervisor, str], None]] = {
    "eks": Supervisor.delete_cluster,
    "rds": Supervisor.delete_database,
    "elasticache": Supervisor.delete_cache,
}

_log = logging.getLogger(__name__)


class Servers:
    """The supervisor's, as far as the AWS endpoint was told of them."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def end(self, servers: Collection[Server]) -> None:
        """Returns when they are gone. The record is gone either way: what fails here, the next start does."""
        for server in servers:
            try:
                _DELETE[server.service](Supervisor(self._home), server.name)
                _log.info("%s %s was deleted, and its server with it", server.service, server.name)
            except NotRunning:
                _log.info("%s %s was deleted; no sandbox runs its server", server.service, server.name)
            except FreeholdError as error:
                _log.warning("%s %s was deleted, its server was not: %s", server.service, server.name, error.line())

    def end_left_behind(self, servers: Collection[Server]) -> None:
        """Those whose record went while nobody could end them, once the sandbox has started; returns at once."""
        if servers:
            threading.Thread(target=self._end_left_behind, args=(servers,), name="left-behind", daemon=True).start()

    def _end_left_behind(self, servers: Collection[Server]) -> None:
        supervisor = Supervisor(self._home)
        try:
            while (status := supervisor.status()).state == "starting":
                time.sleep(_POLL_SECONDS)
        except FreeholdError as error:
            names = ", ".join(f"{server.service} {server.name}" for server in servers)
            _log.info("nobody to end %s: %s", names, error.line())
            return
        self.end([server for server in servers if server.name in _names(status, server.service)])


def _names(status: Status, service: str) -> Collection[str]:
    return {"eks": status.clusters, "rds": status.databases, "elasticache": status.caches}[service]
