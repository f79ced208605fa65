"""Puts the stand-ins where the engine of one sandbox finds its plugins: PULUMI_HOME/plugins."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from sandbox.home import Home
from sandbox.providers import plugin
from sandbox.providers.registry import CLASSES, sdk_version


def install(home: Home) -> tuple[Path, ...]:
    """Write the plugin of every stand-in in the version of its installed SDK; returns the executables.

    What is there and right already is left alone, so that an engine which runs now is not disturbed.
    """
    return tuple(_install(home, name, sdk_version(name)) for name in CLASSES)


def _install(home: Home, name: str, version: str) -> Path:
    folder = home.pulumi_home / "plugins" / f"resource-{name}-v{version}"
    folder.mkdir(parents=True, exist_ok=True)
    executable = folder / f"pulumi-resource-{name}"
    program = [sys.executable, "-I", "-S", plugin.__file__, name, version, str(home.socket("providers"))]
    # A shell line and no "#!": the kernel cuts an interpreter line at 255 bytes and at the first space.
    text = f'#!/bin/sh\nexec {shlex.join(program)} "$@"\n'
    if not executable.exists() or executable.read_text() != text:
        fresh = folder / f".{executable.name}.{os.getpid()}"
        fresh.write_text(text)
        fresh.chmod(0o755)
        fresh.replace(executable)
    return executable
