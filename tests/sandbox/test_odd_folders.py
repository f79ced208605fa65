"""A FREEHOLD_HOME whose name holds what programs read as something else."""

from __future__ import annotations

import glob
import os
from pathlib import Path

import pytest

from errors import FreeholdError
from sandbox.home import Home
from sandbox.processes.redis import RedisServer, literal
from sandbox.processes.site import Site
from sandbox.supervisor import launch
from sandbox.supervisor.definitions import CacheDefinition
from sandbox.supervisor.ports import Ports


@pytest.mark.parametrize("folder", ["plain", "a b", r"back\slash", "[x]", "w?y*", r"back\slash and [x]"])
def test_redis_finds_its_configuration_and_nothing_else(tmp_path: Path, folder: str) -> None:
    path = tmp_path / folder / "redis.conf"
    path.parent.mkdir()
    path.touch()
    argument = literal(path)
    # As Redis does (loadServerConfig in config.c).
    pattern = any(letter in argument for letter in "*?[")
    assert (_glob(argument) if pattern else [argument]) == [str(path)]


def test_a_redis_without_its_configuration_does_not_listen(tmp_path: Path) -> None:
    definition = CacheDefinition(name="one", parameters={}, supervisor_password="x", users={})
    command = RedisServer(Site(Home(tmp_path), Ports(tmp_path / "ports.json", {})), definition, tmp_path).spec().command
    assert command[2:] == ("--bind", "127.0.0.1", "--port", "0")


def _glob(pattern: str) -> list[str]:
    """glob(3), where a backslash takes a letter literally; Python's own has no such thing."""
    return glob.glob(pattern.replace("\\\\", "[\\]"))


def test_a_home_that_is_made_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        launch._prepare(Home(tmp_path / "home"), {})
    finally:
        os.umask(before)
    assert (tmp_path / "home").stat().st_mode & 0o077 == 0


def test_a_file_in_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "logs").touch()
    with pytest.raises(FreeholdError, match=f"^{tmp_path / 'logs'}: cannot write: File exists; "):
        launch._prepare(Home(tmp_path), {})
