"""A user without a home, as in a container that runs as a number: one line says what to set."""

from __future__ import annotations

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import pytest

from errors import FreeholdError
from sandbox.home import CHECKOUT
from sandbox.toolchain import cache

TOLD = "^HOME: is not set, and this user has no entry with a home; set it to a folder that you may write to$"


@pytest.fixture(autouse=True)
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", none)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)


def test_the_toolchain_says_so() -> None:
    with pytest.raises(FreeholdError, match=TOLD):
        cache.cache_root()


def test_the_launcher_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    loader = SourceFileLoader("launcher", str(CHECKOUT / "freehold"))
    spec = spec_from_loader("launcher", loader)
    assert spec is not None
    launcher = module_from_spec(spec)
    loader.exec_module(launcher)
    with pytest.raises(launcher.Failure, match=TOLD):
        launcher.cached()
