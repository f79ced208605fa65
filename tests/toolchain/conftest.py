"""What the toolchain's tests share: a cache of their own, and the machine's Go."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from sandbox.toolchain import cache, compiler
from sandbox.toolchain.commands import Commands
from sandbox.toolchain.progress import Silent


@pytest.fixture(scope="session")
def go() -> Path:
    """A Go compiler: PATH's, or the wheel's from the user's cache."""
    return compiler.obtain((1, 25), cache.cache_root(), Commands(), Silent())


@pytest.fixture
def own_cache(tmp_path: Path, go: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty toolchain cache; Go is on PATH and keeps what it compiled where it always does."""
    kept = subprocess.run([go, "env", "GOCACHE"], capture_output=True, text=True, check=True).stdout.strip()
    monkeypatch.setenv("GOCACHE", kept)
    monkeypatch.setenv("PATH", f"{go.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return cache.cache_root()
