"""The webhook's archive: the same bytes each time, without Pulumi, and whole."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from sandbox.home import CHECKOUT
from services import package
from services.package import HANDLER, Target, build, this_machine


@pytest.fixture(scope="module")
def archive() -> bytes:
    return build(this_machine())


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is compressed, which takes nine tenths of a build."""
    monkeypatch.setattr(package, "_LEVEL", 0)


def test_two_builds_give_the_same_bytes(archive: bytes) -> None:
    assert build(this_machine()) == archive


def test_a_build_from_other_files_times_and_modes_gives_the_same_bytes(
    archive: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dependencies unpacked anew, in a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert build(this_machine()) == archive


@pytest.mark.usefixtures("quick")
def test_one_changed_byte_gives_another() -> None:
    assert len({build(this_machine(), authority) for authority in (b"", b"authority", b"authoritz")}) == 3


def test_what_is_in_it(archive: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(archive)) as content:
        names = content.namelist()
        assert names == sorted(names)
        assert {entry.date_time for entry in content.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.external_attr for entry in content.infolist()} == {0o100644 << 16}
    top = {name.split("/")[0] for name in names}
    assert not {name for name in top if name.startswith(("pulumi", "boto", "grpc", "sandbox", "stacks", "components"))}
    assert {name for name in names if name.startswith("fleet/")} == {
        "fleet/__init__.py",
        "fleet/connection_limits.py",
        "fleet/operations.py",
        "fleet/registry.py",
    }
    assert len(archive) < 50 * 1024 * 1024  # what Lambda takes in one upload


def test_the_handler_imports_from_nothing_but_the_archive(archive: bytes, tmp_path: Path) -> None:
    """Unpacked, as Lambda does: machine code cannot be loaded out of an archive."""
    with zipfile.ZipFile(io.BytesIO(archive)) as content:
        content.extractall(tmp_path)
    module, name = HANDLER.rsplit(".", 1)
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import importlib; "
        f"assert callable(importlib.import_module({module!r}).{name}); import psycopg; "
        "print(psycopg.pq.__impl__, [p for p in sys.modules if p.startswith('pulumi')])"
    )
    # -I -S: neither this checkout nor any installed package is seen.
    run = subprocess.run([sys.executable, "-I", "-S", "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, "binary []\n"), run.stderr


def test_its_requirements_are_those_of_the_lock() -> None:
    lock = _pins(CHECKOUT / "requirements.txt")
    own = _pins(package._REQUIREMENTS)
    assert own.keys() < lock.keys()
    assert {name: lock[name] for name in own} == own
    assert "://" not in package._REQUIREMENTS.read_text()


def _pins(file: Path) -> dict[str, str]:
    """Name -> version with its hashes."""
    blocks = re.findall(r"^([a-z0-9-]+)==(.+?)(?=^[a-z0-9]|\Z)", file.read_text(), re.S | re.M)
    return {name: " ".join(rest.replace("\\", " ").split()) for name, rest in blocks}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "target", [Target("arm64", "3.13"), Target("x86_64", "3.13")], ids=lambda one: one.architecture
)
def test_wheels_are_the_functions_and_not_this_machines(target: Target) -> None:
    with zipfile.ZipFile(io.BytesIO(build(target))) as content:
        machine_code = [name for name in content.namelist() if name.endswith(".so")]
        heads = {content.read(name)[18:20] for name in machine_code}
    # https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html: e_machine
    assert heads == {b"\xb7\x00" if target.architecture == "arm64" else b"\x3e\x00"}
    assert any("cpython-313" in name for name in machine_code)
