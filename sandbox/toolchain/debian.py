"""Programs of Debian and Ubuntu packages without root: downloaded and verified by apt, unpacked into the cache.

apt keeps its lists in a private folder, so nothing has to be installed, updated or owned on the machine.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from errors import FreeholdError
from sandbox.toolchain.commands import Commands
from sandbox.toolchain.tools import DebianBinary, Tool

_DPKG_STATUS = Path("/var/lib/dpkg/status")
_PACKAGE_NAME = re.compile(r"[a-z0-9][a-z0-9.+-]+")


def fingerprint(source: DebianBinary) -> str:
    """Twelve hex digits over what decides which packages apt takes: the distribution's release and the machine."""
    release = platform.freedesktop_os_release() if Path("/etc/os-release").exists() else {}
    distribution = f"{release.get('ID', '')} {release.get('VERSION_ID', '')} {platform.machine()}"
    return sha256(f"{distribution} {source.packages}".encode()).hexdigest()[:12]


def unpack(packages: Sequence[str], target: Path, scratch: Path, log: Path, commands: Commands) -> None:
    """Unpack `packages`, and what they need that the machine lacks, below `target`."""
    missing = [program for program in ("apt-get", "dpkg-deb") if shutil.which(program) is None]
    if missing:
        needed = " and ".join(packages)
        raise FreeholdError(
            f"{' and '.join(missing)} not found", mend=f"install {needed} (with TLS) so that PATH has it"
        )
    state, archives = scratch / "state", scratch / "archives"
    for folder in (state / "lists" / "partial", scratch / "cache" / "archives" / "partial", archives):
        folder.mkdir(parents=True)
    apt = ["apt-get", "-q", "-o", f"Dir::State={state}", "-o", f"Dir::State::status={_DPKG_STATUS}"]
    apt += ["-o", f"Dir::Cache={scratch / 'cache'}", "-o", "APT::Sandbox::User="]
    what = f"fetching the Debian packages {' '.join(packages)}"
    # One blocked third-party source makes `update` fail although the rest is there: the download decides.
    commands.run([*apt, "update"], log=log, what=what, check=False)
    plan = commands.run([*apt, "--simulate", "--no-install-recommends", "install", *packages], log=log, what=what)
    needed_too = [line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")]
    names = sorted({*packages, *needed_too})
    if not all(_PACKAGE_NAME.fullmatch(name.partition(":")[0]) for name in names):
        raise FreeholdError(f"apt named packages that are none: {' '.join(names)}", where=str(log))
    commands.run([*apt, "download", *names], folder=archives, log=log, what=what)
    target.mkdir(parents=True)
    for archive in sorted(archives.glob("*.deb")):
        commands.run(["dpkg-deb", "--extract", archive, target], log=log, what=f"unpacking {archive.name}")


def install(
    tools: Sequence[tuple[Tool, DebianBinary]], staged: Path, entry: Path, root: Path, commands: Commands
) -> None:
    """Make `staged/entry`: the unpacked packages, and a starter script for each tool that finds their libraries.

    `entry` is where it will lie once it is published: the starters name it.
    """
    source = tools[0][1]
    content = staged / "entry"
    unpack(source.packages, content / "root", staged / "scratch", root / "logs" / f"{source.bundle}.log", commands)
    folders = sorted({file.parent.relative_to(content) for file in (content / "root").rglob("*.so*")})
    search = ":".join(str(entry / folder) for folder in folders)
    for tool, binary in tools:
        if not os.access(content / "root" / binary.path, os.X_OK):
            raise FreeholdError(f"the packages {' '.join(source.packages)} hold no {binary.path}", where=tool.name)
        starter = content / tool.name
        program = shlex.quote(str(entry / "root" / binary.path))
        libraries = f'LD_LIBRARY_PATH={shlex.quote(search)}"${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"'
        # exec: the starter becomes the program, so that its process id is the server's.
        starter.write_text(f'#!/bin/sh\n{libraries} exec {program} "$@"\n', encoding="utf-8")
        starter.chmod(0o755)
