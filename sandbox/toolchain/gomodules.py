"""Building tools from pinned Go modules: one `go build` for all tools of a group, checked against its go.sum."""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from errors import FreeholdError
from sandbox.toolchain.commands import Commands
from sandbox.toolchain.progress import Reporter
from sandbox.toolchain.tools import GoBinary, ModuleScript, Tool

# Modules are named by go.mod and verified by go.sum, never changed; no C compiler is needed; no path of this machine
# ends up in a binary; neither a workspace file nor a newer toolchain is looked for.
_FLAGS = ("-mod=readonly", "-trimpath", "-buildvcs=false")
_ENVIRONMENT = {"CGO_ENABLED": "0", "GOWORK": "off", "GOTOOLCHAIN": "local", "GOOS": "", "GOARCH": ""}


def fingerprint(tool: Tool, scripts: Sequence[Tool]) -> str:
    """Twelve hex digits over all that decides what a build gives: modules, stamps, machine, scripts beside it."""
    digest = sha256(f"{platform.system()}-{platform.machine()}\n".encode())
    for each in (tool, *scripts):
        source = each.source
        if not isinstance(source, GoBinary | ModuleScript):
            raise TypeError(f"{each.name} is not made from a Go module")
        digest.update(f"{each.name} {source}\n".encode())
        for name in ("go.mod", "go.sum"):
            digest.update((source.folder / name).read_bytes())
    return digest.hexdigest()[:12]


def build(
    go: Path,
    tools: Sequence[tuple[Tool, GoBinary]],
    staged: Path,
    root: Path,
    commands: Commands,
    reporter: Reporter,
) -> None:
    """Build `tools`, all of one group, into `staged/<name>/<name>`."""
    group = tools[0][1].group
    stamps = sorted({f"-X {symbol}={value}" for _, source in tools for symbol, value in source.stamps})
    output = staged / "output"
    output.mkdir()
    compiled = 0

    def show(line: str) -> None:
        nonlocal compiled
        if line.startswith("go: downloading"):
            reporter.detail(group, line.removeprefix("go: "))
        else:
            compiled += 1
            reporter.detail(group, f"{compiled} packages compiled")

    linker = " ".join(["-s -w", *stamps])
    packages = [source.package for _, source in tools]
    commands.run(
        [go, "build", "-v", *_FLAGS, "-ldflags", linker, "-o", f"{output}{os.sep}", *packages],
        folder=tools[0][1].folder,
        environment=_ENVIRONMENT,
        log=root / "logs" / f"{group}.log",
        what=f"building {group}",
        line=show,
    )
    for tool, source in tools:
        (staged / tool.name).mkdir()
        os.rename(output / executable(source.package), staged / tool.name / tool.name)


def executable(package: str) -> str:
    """The file name `go build` gives a main package: its last element that is not a major version (`go help build`)."""
    *_, before, last = package.split("/")
    return before if last.startswith("v") and last[1:].isdigit() else last


def copy_scripts(
    go: Path, scripts: Sequence[tuple[Tool, ModuleScript]], staged: Path, root: Path, commands: Commands
) -> None:
    """Copy scripts out of their modules into `staged/<beside>/`."""
    for tool, source in scripts:
        answer = commands.run(
            [go, "mod", "download", "-json", source.module],
            folder=source.folder,
            environment={**_ENVIRONMENT, "GOFLAGS": "-mod=readonly"},
            log=root / "logs" / f"{source.unit}.log",
            what=f"downloading {source.module}",
        )
        folder = Path(str(json.loads(answer[answer.index("{") :])["Dir"]))
        if not (folder / source.path).is_file():
            raise FreeholdError(f"{source.module} holds no {source.path}", where="sandbox/toolchain/tools.py")
        copy = staged / source.beside / tool.name
        shutil.copyfile(folder / source.path, copy)
        copy.chmod(0o755)
