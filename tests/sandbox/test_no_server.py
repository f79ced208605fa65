"""A server that has just ended when it is to be changed: that is told, and the change can be asked for again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sandbox.home import Home
from sandbox.processes.redis import RedisServer
from sandbox.processes.site import Site
from sandbox.supervisor.databases import Databases
from sandbox.supervisor.definitions import CacheDefinition, DatabaseDefinition
from sandbox.supervisor.messages import SupervisorError, UpdateDatabase
from sandbox.supervisor.ports import Ports
from sandbox.supervisor.table import ProcessTable

TOLD = "-one: does not answer; see ./freehold sandbox status, and try again$"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(Home(tmp_path), Ports(tmp_path / "ports.json", {}))


def test_a_cache_whose_users_are_set(site: Site, tmp_path: Path) -> None:
    before = {"kept": "user kept off"}
    definition = CacheDefinition(name="one", parameters={}, supervisor_password="x", users=before)
    server = RedisServer(site, definition, tmp_path)
    with pytest.raises(SupervisorError, match=f"^redis{TOLD}") as failure:
        server.set_users({"new": "user new off"})
    assert failure.value.reason == "failed"
    written = (tmp_path / "users.acl").read_text()
    assert "user kept off" in written and "user new off" not in written


def test_a_database_whose_password_is_changed(site: Site) -> None:
    databases = Databases(site, ProcessTable(site.home))
    definition = DatabaseDefinition(
        name="one", complete=True, username="admin", password="before", database="d", parameters={}
    )
    databases.definitions.put(definition)
    with pytest.raises(SupervisorError, match=f"^postgres{TOLD}"):
        asyncio.run(databases.update(UpdateDatabase(identifier="one", password="afterwards")))
    kept = databases.definitions.get("one")
    assert kept is not None and kept.password == "before"
