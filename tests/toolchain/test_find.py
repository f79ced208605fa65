"""Tools on PATH are taken in a good version only; what the toolchain itself put there does not count."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from sandbox.toolchain import bin_directory, ensure
from sandbox.toolchain.find import Origin, find, version
from sandbox.toolchain.progress import Silent
from sandbox.toolchain.tools import TOOLS


@pytest.fixture
def folder(tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH, but for /usr/bin's shell."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def put(path: Path, prints: str, code: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{prints}'\nexit {code}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("prints", "taken"),
    [
        ("Kubernetes v1.35.4", True),
        ("Kubernetes v1.35.0-eks-1", True),
        ("Kubernetes v1.34.9", False),
        ("Kubernetes v1.36.0", False),
        ("Kubernetes v1.36", False),
        ("no version at all", False),
    ],
)
def test_a_version_in_range_is_taken(folder: Path, prints: str, taken: bool) -> None:
    server = put(folder / "kube-apiserver", prints)
    found = find("kube-apiserver")
    assert (found is not None) is taken
    if found is not None:
        assert (found.path, found.origin) == (server, Origin.PATH)
        assert version(found) in prints


def test_a_program_that_fails_is_not_taken(folder: Path) -> None:
    put(folder / "redis-cli", "redis-cli 7.2.4", code=1)  # as one that was built without TLS answers to --tls
    assert find("redis-cli") is None


def test_a_later_folder_of_path_is_looked_into(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder / "kwok", "kwok version v0.1.0")
    good = put(tmp_path / "other" / "kwok", "kwok version v0.8.1")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{good.parent}")
    found = find("kwok")
    assert found is not None and found.path == good


def test_a_folder_of_path_that_is_not_for_us_is_passed_over(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = put(folder / "kube-apiserver", "Kubernetes v1.35.4")
    really = os.stat

    def refused(path: os.PathLike[str] | str | int, **options: Any) -> os.stat_result:
        if str(path).startswith("/somebody/private/"):
            raise PermissionError(13, "Permission denied", str(path))
        return really(path, **options)

    monkeypatch.setattr(os, "stat", refused)
    monkeypatch.setenv("PATH", f"/somebody/private/bin{os.pathsep}{folder}")
    found = find("kube-apiserver")
    assert found is not None
    assert found.path == server


def test_a_program_that_path_names_twice_is_asked_once(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = tmp_path / "asked"
    put(folder / "kwok", f"kwok version v0.1.0'; echo >> '{asked}")
    (tmp_path / "again").symlink_to(folder)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{tmp_path / 'again'}")
    assert find("kwok") is None
    assert asked.read_text() == "\n"


def test_followers_come_from_their_leader_s_folder(folder: Path) -> None:
    put(folder / "redis-server", "Redis server v=7.2.4")
    assert find("redis-server") is None
    put(folder / "redis-cli", "redis-cli 7.2.4")
    found = find("redis-server")
    assert found is not None and found.path == folder / "redis-server"


def test_a_follower_that_does_not_run_is_none(folder: Path) -> None:
    put(folder / "redis-server", "Redis server v=7.2.4").chmod(0o644)
    put(folder / "redis-cli", "redis-cli 7.2.4")
    assert find("redis-server") is None


def test_followers_are_found_where_a_link_to_their_leader_leads(folder: Path, tmp_path: Path) -> None:
    """A distribution's files lie together; PATH may hold links to some of them only."""
    server = put(tmp_path / "redis" / "redis-server", "Redis server v=7.2.4")
    (folder / "redis-cli").symlink_to(put(tmp_path / "redis" / "redis-cli", "redis-cli 7.2.4"))
    found = find("redis-server")
    assert found is not None and found.path == server


def test_postgres_is_never_taken_from_path(folder: Path) -> None:
    put(folder / "psql", "psql (PostgreSQL) 18.6")
    found = find("psql")
    assert found is not None and found.origin is Origin.WHEEL


def test_our_own_folder_on_path_is_not_an_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    ensure(["pulumi-language-python"])
    monkeypatch.setenv("PATH", f"{bin_directory()}{os.pathsep}{os.environ['PATH']}")
    found = find("pulumi-language-python")
    assert found is not None and found.origin is not Origin.PATH


def test_the_language_host_finds_its_scripts_beside_itself() -> None:
    # It looks in the folder of os.Executable, which has links resolved on Linux.
    ensure(["pulumi-language-python"], Silent())
    host = (bin_directory() / "pulumi-language-python").resolve()
    for script in ("pulumi-language-python-exec", "pulumi-analyzer-policy-python", "pulumi-resource-pulumi-python"):
        assert os.access(host.parent / script, os.X_OK)
        assert TOOLS[script].follows == "pulumi"
