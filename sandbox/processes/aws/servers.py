"""Clusters, their nodes, databases and caches end with their records, whichever client deletes those.

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


def _delete_nodes(supervisor: Supervisor, name: str) -> None:
    cluster, _, group = name.partition("/")
    supervisor.delete_node_group(cluster, group)


_DELETE: dict[str, Callable[[Supervisor, str], None]] = {
    "eks": Supervisor.delete_cluster,
    "eks nodes": _delete_nodes,
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
                _log.info("%s %s was deleted, and what ran for it", server.service, server.name)
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
        self.end([server for server in servers if _may_be_there(status, server)])


def _may_be_there(status: Status, server: Server) -> bool:
    if server.service == "eks nodes":
        return server.name.partition("/")[0] in status.clusters
    return (
        server.name in {"eks": status.clusters, "rds": status.databases, "elasticache": status.caches}[server.service]
    )
