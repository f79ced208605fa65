"""What apt says is believed only as far as it can be: names of packages, and for this machine's release."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from errors import FreeholdError
from sandbox.toolchain import debian
from sandbox.toolchain.commands import Commands
from sandbox.toolchain.tools import TOOLS, DebianBinary


def apt(folder: Path, plan: str) -> Commands:
    """Whose apt says this plan; what it is asked to download stands in the file `downloaded`."""
    folder.mkdir()
    lines = {
        "apt-get": f'case "$*" in *--simulate*) echo "{plan}";; *download*) echo "$@" > {folder}/downloaded;; esac',
        "dpkg-deb": "",
    }
    for name, line in lines.items():
        (folder / name).write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    return Commands({"PATH": f"{folder}:/usr/bin:/bin"})


@pytest.fixture(autouse=True)
def debians(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", str)  # whatever distribution this is


def test_what_a_package_needs_is_downloaded_too(tmp_path: Path) -> None:
    commands = apt(tmp_path / "bin", "Inst libssl3 (3.0 Debian:12)")
    debian.unpack(["redis-server"], tmp_path / "root", tmp_path / "scratch", tmp_path / "log", commands)
    assert (tmp_path / "bin" / "downloaded").read_text().split()[-2:] == ["libssl3", "redis-server"]


def test_a_name_that_is_none_is_given_to_nobody(tmp_path: Path) -> None:
    commands = apt(tmp_path / "bin", "Inst -oDir::Etc=/tmp (3.0 Debian:12)")
    with pytest.raises(FreeholdError, match=r"apt named packages that are none: -oDir"):
        debian.unpack(["redis-server"], tmp_path / "root", tmp_path / "scratch", tmp_path / "log", commands)
    assert not (tmp_path / "bin" / "downloaded").exists()


def test_another_machine_and_another_release_have_entries_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    source = next(tool.source for tool in TOOLS.values() if isinstance(tool.source, DebianBinary))
    monkeypatch.setattr(Path, "exists", lambda _: True)
    told = {}
    for release in ("12", "13"):
        for machine in ("x86_64", "aarch64"):
            found = {"ID": "debian", "VERSION_ID": release}
            monkeypatch.setattr(platform, "freedesktop_os_release", lambda found=found: found)
            monkeypatch.setattr(platform, "machine", lambda machine=machine: machine)
            told[release, machine] = debian.fingerprint(source)
    assert len(set(told.values())) == 4
