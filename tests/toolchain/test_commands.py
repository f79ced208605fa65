"""The programs that make the tools end with us, and say in one line what failed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from errors import FreeholdError
from sandbox.toolchain.commands import Commands

STUCK = ["/bin/sh", "-c", "echo began; exec sleep 600"]


def children() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if one.name() == "sleep"]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def test_a_stop_ends_what_runs_and_lets_nothing_new_start(tmp_path: Path) -> None:
    commands, failures = Commands(), list[FreeholdError]()

    def build() -> None:
        try:
            commands.run(STUCK, log=tmp_path / "log", what="building")
        except FreeholdError as failure:
            failures.append(failure)

    thread = threading.Thread(target=build)
    thread.start()
    until(lambda: bool(children()))
    commands.stop()
    thread.join(20)
    assert not thread.is_alive() and not children()
    assert failures[0].what.startswith("building failed")
    with pytest.raises(FreeholdError, match=r"^toolchain: stopped$"):
        commands.run(["touch", str(tmp_path / "late")], log=tmp_path / "log", what="building")
    assert not (tmp_path / "late").exists()


def test_an_interrupt_while_it_runs_ends_it(tmp_path: Path) -> None:
    def interrupted(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Commands().run(STUCK, log=tmp_path / "log", what="building", line=interrupted)
    assert not children()
