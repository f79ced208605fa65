"""The official plugins: found on PATH or in the user's plugin cache, else installed into that cache."""

from __future__ import annotations

import os
import selectors
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from errors import FreeholdError
from sandbox.home import Home
from sandbox.providers.choice import VARIABLE
from sandbox.toolchain.install import locate
from sandbox.toolchain.progress import Shown, reported

_START_SECONDS = 60.0
_INSTALL_SECONDS = 1800.0
"""The aws plugin is several hundred megabytes."""

_NO_ENGINE = "127.0.0.1:1"
"""A plugin wants the address of its engine; to tell its version it needs none."""


@dataclass(frozen=True)
class Official:
    """An official plugin on this machine. `folder` is its place in the user's plugin cache; None where the executable
    is on PATH, where the engine finds it by itself, and prefers it to any cache."""

    name: str
    version: str
    executable: Path
    folder: Path | None


def user_cache(home: Home, environment: Mapping[str, str]) -> Path:
    """PULUMI_HOME/plugins of the person, never the sandbox's own: https://www.pulumi.com/docs/iac/cli/environment-variables/"""
    chosen = environment.get("PULUMI_HOME", "")
    if not chosen or Path(chosen).resolve() == home.pulumi_home:
        return Path(environment.get("HOME") or Path.home()) / ".pulumi" / "plugins"
    return Path(chosen) / "plugins"


def on_path(name: str, environment: Mapping[str, str]) -> Path | None:
    """The plugin that the engine would take before any other, whatever version was asked for."""
    found = shutil.which(f"pulumi-resource-{name}", path=environment.get("PATH", os.defpath))
    return Path(found) if found else None


def find(home: Home, name: str, version: str, environment: Mapping[str, str]) -> Official | None:
    """The plugin where it is there already. Raises FreeholdError for one of another version on PATH."""
    if executable := on_path(name, environment):
        if (told := _version_of(executable)) != version:
            raise FreeholdError(
                f"is v{told}, and would be taken for v{version}" if told else "does not tell its version",
                where=str(executable),
                mend="take it off PATH",
            )
        return Official(name, version, executable, None)
    return _cached(user_cache(home, environment), name, version)


def obtain(home: Home, name: str, version: str, environment: Mapping[str, str]) -> Official:
    """The plugin, installed by the Pulumi CLI where it is not there. Raises FreeholdError where it cannot be had."""
    if found := find(home, name, version, environment):
        return found
    cache = user_cache(home, environment)
    command = ["plugin", "install", "resource", name, f"v{version}"]
    with Shown() as shown, reported(shown, f"{name} v{version}", "installing the official plugin", "ready"):
        try:
            run = subprocess.run(
                [str(locate("pulumi")), *command],
                env={**environment, "PULUMI_HOME": str(cache.parent), "PULUMI_SKIP_UPDATE_CHECK": "true"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_INSTALL_SECONDS,
            )
            said = run.stderr or run.stdout
        except subprocess.TimeoutExpired:
            said = f"no end after {_INSTALL_SECONDS / 60:.0f} minutes"
        found = _cached(cache, name, version)
        if found is None:
            raise FreeholdError(
                f"the official plugin {name} v{version} cannot be installed: {_gist(said)}",
                where=VARIABLE,
                mend=f"run `pulumi {' '.join(command)}` where it can be downloaded, or unset {VARIABLE}",
            )
    return found


def _cached(cache: Path, name: str, version: str) -> Official | None:
    folder = cache / f"resource-{name}-v{version}"
    executable = folder / f"pulumi-resource-{name}"
    # The engine keeps this mark beside a plugin until it is unpacked.
    if folder.with_name(f"{folder.name}.partial").exists() or not os.access(executable, os.X_OK):
        return None
    return Official(name, version, executable, folder)


def _version_of(executable: Path) -> str | None:
    """What the plugin tells by its protocol, None where it tells nothing."""
    import grpc
    from google.protobuf.empty_pb2 import Empty
    from pulumi.runtime.proto import provider_pb2_grpc

    quiet = subprocess.DEVNULL
    try:
        process = subprocess.Popen([executable, _NO_ENGINE], stdin=quiet, stdout=subprocess.PIPE, stderr=quiet)
    except OSError:
        return None
    with process, selectors.DefaultSelector() as selector:
        assert process.stdout is not None
        try:
            selector.register(process.stdout, selectors.EVENT_READ)
            line = process.stdout.readline() if selector.select(_START_SECONDS) else b""
            if not line.strip().isdigit():
                return None
            with grpc.insecure_channel(f"127.0.0.1:{int(line)}") as channel:
                stub = provider_pb2_grpc.ResourceProviderStub(channel)
                version: str = stub.GetPluginInfo(Empty(), timeout=_START_SECONDS).version
                return version.removeprefix("v") or None
        except grpc.RpcError:
            return None
        finally:
            process.kill()


def _gist(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error:")]
    return (errors or lines or ["it said nothing"])[-1].removeprefix("error:").strip()
