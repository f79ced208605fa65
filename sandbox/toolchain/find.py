"""Where each tool is now: on PATH in a good version, in the cache, in the virtual environment, or nowhere."""

from __future__ import annotations

import importlib.metadata
import os
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sandbox.toolchain import debian, download, gomodules
from sandbox.toolchain.cache import cache_root
from sandbox.toolchain.tools import TOOLS, DebianBinary, GoBinary, ModuleScript, Tool, WheelBinary
from sandbox.toolchain.versions import asked, remembered


class Origin(StrEnum):
    """Where a tool came from."""

    PATH = "PATH"
    DOWNLOADED = "downloaded"
    BUILT = "built"
    WHEEL = "wheel"
    DEBIAN = "Debian"


@dataclass(frozen=True)
class Found:
    """A tool that is there."""

    tool: Tool
    path: Path
    origin: Origin


def find(name: str, tools: Mapping[str, Tool] = TOOLS) -> Found | None:
    """The tool `name` (a key of `tools`), or None where it has still to be made."""
    tool = tools[name]
    ours = on_path(tool, tools)
    if ours is not None:
        return Found(tool, ours, Origin.PATH)
    kept = location(tool, tools)
    return Found(tool, kept, _origin(tool, kept)) if os.access(kept, os.X_OK) else None


def location(tool: Tool, tools: Mapping[str, Tool] = TOOLS) -> Path:
    """Where the tool lies, or will lie once it is made."""
    source = tool.source
    if isinstance(source, WheelBinary):
        return Path(sysconfig.get_path("platlib")) / source.path
    return entry(tool, tools) / tool.name


def entry(tool: Tool, tools: Mapping[str, Tool] = TOOLS) -> Path:
    """The cache folder of a tool; its name changes with everything that decides its content."""
    source = tool.source
    if isinstance(source, DebianBinary):
        return cache_root() / f"{source.bundle}-debian-{debian.fingerprint(source)}"
    if isinstance(source, ModuleScript):
        return entry(tools[source.beside], tools)
    if isinstance(source, GoBinary):
        return cache_root() / f"{tool.name}-{tool.version}-{gomodules.fingerprint(tool, scripts(tool, tools))}"
    raise TypeError(f"{tool.name} comes in a wheel and has no cache entry")


def scripts(tool: Tool, tools: Mapping[str, Tool] = TOOLS) -> tuple[Tool, ...]:
    """The scripts that lie beside `tool`."""
    return tuple(
        other for other in tools.values() if isinstance(other.source, ModuleScript) and other.source.beside == tool.name
    )


def _origin(tool: Tool, kept: Path) -> Origin:
    match tool.source:
        case WheelBinary():
            return Origin.WHEEL
        case DebianBinary():
            return Origin.DEBIAN
        case _:
            return Origin.DOWNLOADED if (kept.parent / download.MARKER).exists() else Origin.BUILT


def on_path(tool: Tool, tools: Mapping[str, Tool] = TOOLS) -> Path | None:
    """The tool on PATH, if its version is accepted; what this toolchain has put on PATH itself does not count."""
    if tool.follows:
        leader = on_path(tools[tool.follows], tools)
        if leader is None:
            return None
        # Resolved too: the distribution's files lie together, PATH may hold links to some of them only.
        beside = (leader.parent / tool.name, leader.resolve().parent / tool.name)
        return next((path for path in beside if os.access(path, os.X_OK)), None)
    if tool.accepted is None:
        return None
    root, seen = cache_root().resolve(), set[Path]()
    for folder in os.get_exec_path():
        candidate = Path(folder) / tool.name
        # Not `is_file`, which raises where PATH names a folder that is not for us, as after `su`.
        if not os.path.isfile(candidate) or not os.access(candidate, os.X_OK):
            continue
        real = candidate.resolve()
        # Where /bin is /usr/bin, PATH names each program twice.
        if real.is_relative_to(root) or real in seen:
            continue
        seen.add(real)
        found = numbers(remembered(candidate, tool.probe))
        if found and tool.accepted.at_least <= found < tool.accepted.below:
            return candidate
    return None


def numbers(version: str) -> tuple[int, ...]:
    """`1.35.4` as numbers; empty for an empty text."""
    return tuple(int(part) for part in version.split(".")) if version else ()


def version(found: Found) -> str:
    """The version of a tool that is there: what it prints, or what it was built from; empty if it does not run."""
    if found.tool.probe:
        return asked(found.path, found.tool.probe)
    if isinstance(found.tool.source, WheelBinary):
        return importlib.metadata.version(found.tool.source.distribution)
    return found.tool.version if found.origin is not Origin.PATH else "with " + found.tool.follows
