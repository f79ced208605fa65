"""Puts the providers where the engine of one sandbox finds its plugins: PULUMI_HOME/plugins."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from errors import FreeholdError
from sandbox.home import Home
from sandbox.providers import official, plugin
from sandbox.providers.choice import VARIABLE, Providers, chosen, keep
from sandbox.providers.registry import CLASSES, sdk_version


def install_chosen(home: Home, environment: Mapping[str, str] | None = None) -> None:
    """Install what FREEHOLD_PROVIDERS of `environment` (default `os.environ`) names, the stand-ins where it is not set.

    Only while no engine runs on the sandbox. Raises UsageError for another value, FreeholdError where an official
    plugin cannot be had.
    """
    given = os.environ if environment is None else environment
    providers = chosen(given) or Providers.STAND_INS
    if providers is Providers.OFFICIAL:
        install_official(home, given)
    else:
        _require_nothing_on_path(given)
        install(home)
    keep(home, providers)


def install(home: Home) -> tuple[Path, ...]:
    """Write the plugin of every stand-in in the version of its installed SDK; returns the executables.

    What is there and right already is left alone, so that an engine which runs now is not disturbed.
    """
    return tuple(_install(home, name, sdk_version(name)) for name in CLASSES)


def install_official(home: Home, environment: Mapping[str, str]) -> None:
    """Put links to the official plugins in place of the stand-ins, once all of them are there."""
    found = [official.obtain(home, name, sdk_version(name), environment) for name in CLASSES]
    for one in found:
        for old in (home.pulumi_home / "plugins").glob(f"resource-{one.name}-v*"):
            shutil.rmtree(old)
        if one.folder is not None:
            # Not a link to the folder: the engine takes only real ones for plugins.
            place = _folder(home, one.name, one.version)
            place.mkdir(parents=True)
            for file in one.folder.iterdir():
                (place / file.name).symlink_to(file)


def _require_nothing_on_path(environment: Mapping[str, str]) -> None:
    for name in CLASSES:
        if executable := official.on_path(name, environment):
            raise FreeholdError(
                "is on PATH, and the engine would take it instead of the sandbox's stand-in",
                where=str(executable),
                mend=f"take it off PATH, or set {VARIABLE}={Providers.OFFICIAL}",
            )


def _folder(home: Home, name: str, version: str) -> Path:
    return home.pulumi_home / "plugins" / f"resource-{name}-v{version}"


def _install(home: Home, name: str, version: str) -> Path:
    folder = _folder(home, name, version)
    executable = folder / f"pulumi-resource-{name}"
    if executable.is_symlink():  # an official plugin's, until now
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    program = [sys.executable, "-I", "-S", plugin.__file__, name, version, str(home.socket("providers"))]
    # A shell line and no "#!": the kernel cuts an interpreter line at 255 bytes and at the first space.
    text = f'#!/bin/sh\nexec {shlex.join(program)} "$@"\n'
    if not executable.exists() or executable.read_text() != text:
        fresh = folder / f".{executable.name}.{os.getpid()}"
        fresh.write_text(text)
        fresh.chmod(0o755)
        fresh.replace(executable)
    return executable
