"""Instances that were half made and processes that were given up: neither is taken for something that serves."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import cast, get_args

import pytest

from errors import FreeholdError
from sandbox import files
from sandbox.files import unwritable
from sandbox.home import Home
from sandbox.processes import redis
from sandbox.processes.site import Site
from sandbox.supervisor import ports
from sandbox.supervisor.caches import Caches
from sandbox.supervisor.definitions import CacheDefinition, DefinitionStore
from sandbox.supervisor.messages import CreateCache, ProcessState, SupervisorError
from sandbox.supervisor.ports import Ports
from sandbox.supervisor.process import ManagedProcess
from sandbox.supervisor.spec import ProcessSpec
from sandbox.supervisor.table import ProcessTable

ASKED = CreateCache(identifier="one")


class Table:
    """Starts nothing: notes what it should."""

    fails = False

    def __init__(self) -> None:
        self.running = list[str]()

    async def start(self, specs: Iterable[ProcessSpec]) -> None:
        for spec in specs:
            self.running.append(spec.name)
            if self.fails:
                raise FreeholdError("out of order", where=spec.name)

    async def remove(self, names: Collection[str]) -> None:
        self.running = [name for name in self.running if name not in names]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(redis, "locate", Path)
    return Site(Home(tmp_path), Ports(tmp_path / "data" / "ports.json", {}))


def caches(site: Site, table: Table) -> Caches:
    return Caches(site, cast(ProcessTable, table))


def test_what_fails_leaves_nothing_and_can_be_asked_for_again(site: Site) -> None:
    table = Table()
    kept = caches(site, table)
    table.fails = True
    with pytest.raises(FreeholdError, match="out of order"):
        asyncio.run(kept.create(ASKED))
    assert (table.running, kept.get("one"), kept.names()) == ([], None, ())
    assert site.ports.get("redis-one") is None
    assert not list((site.home.data / "caches").iterdir())
    table.fails = False
    made = asyncio.run(kept.create(ASKED))
    assert (made.identifier, kept.names()) == ("one", ("one",))
    with pytest.raises(SupervisorError, match=r"^cache one: exists already$") as refused:
        asyncio.run(kept.create(ASKED))
    assert refused.value.reason == "exists"
    assert table.running == ["redis-one"], "the one that is there goes on"


def test_what_a_kill_left_half_made_is_removed_and_the_rest_started(site: Site) -> None:
    store = DefinitionStore(site.home, "caches", CacheDefinition)
    for name, complete in (("half", False), ("whole", True)):
        store.put(CacheDefinition(name=name, complete=complete, parameters={}, supervisor_password="p", users={}))
        store.data(name).mkdir()
    table = Table()
    kept = caches(site, table)
    assert (kept.names(), kept.get("half")) == (("whole",), None)
    asyncio.run(kept.resume())
    assert table.running == ["redis-whole"]
    assert sorted(path.name for path in (site.home.data / "caches").iterdir()) == ["whole", "whole.json"]


def test_one_that_is_deleted_is_gone_with_its_data_and_its_port(site: Site) -> None:
    table = Table()
    kept = caches(site, table)
    asyncio.run(kept.create(ASKED))
    (site.home.data / "caches" / "one").mkdir()
    for _ in range(2):  # one that is gone already is fine
        asyncio.run(kept.delete("one"))
        assert (table.running, kept.names(), site.ports.get("redis-one")) == ([], (), None)
        assert not list((site.home.data / "caches").iterdir())


def test_what_fills_the_disk_while_it_is_made_makes_room_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    data, write = site.home.data / "caches" / "one", files.write_atomically

    def while_there_is_room(path: Path, content: bytes, mode: int) -> None:
        if data.exists():
            raise unwritable(path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        write(path, content, mode)

    class Full(Table):
        async def start(self, specs: Iterable[ProcessSpec]) -> None:
            data.mkdir()
            raise FreeholdError("the disk is full", where="redis-one")

    monkeypatch.setattr(ports, "write_atomically", while_there_is_room)
    kept = caches(site, Full())
    for _ in range(2):  # the second, as one that was never made
        with pytest.raises(FreeholdError, match="the disk is full"):
            asyncio.run(kept.create(ASKED))
        assert not data.exists() and site.ports.get("redis-one") is None


@pytest.mark.parametrize("state", get_args(ProcessState))
def test_what_was_given_up_does_not_run(state: ProcessState, site: Site) -> None:
    """A runner or a webhook that was is started anew when it is asked for."""
    table = ProcessTable(site.home)
    assert not table.runs("one")
    process = ManagedProcess(ProcessSpec("one", "test", ("true",), lambda: None), site.home)
    process._state = state
    table._processes["one"] = process
    assert table.runs("one") is (state not in ("failed", "stopping", "stopped"))
