"""The lock of a stack: who holds it is told, how long it is waited for, and that it ends with its holder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from errors import FreeholdError, TransientError
from fleet import locks
from fleet.interrupts import Interrupted
from fleet.locks import locked


@contextmanager
def held(path: Path, *, wait: float = 0, stop: Callable[[], None] = lambda: None) -> Iterator[list[str]]:
    """Yields what is told."""
    told: list[str] = []
    with locked(path, "stack dev", wait=wait, tell=told.append, stop=stop):
        yield told


def test_another_waits_no_longer_than_it_may_and_names_the_holder(tmp_path: Path) -> None:
    path = tmp_path / "run/stack-dev.lock"
    with held(path):
        assert path.stat().st_mode & 0o777 == 0o600  # it holds a command, as a person typed it
        with (
            pytest.raises(TransientError, match=rf"^stack dev: held by process {os.getpid()} \(`freehold.* 0 s did"),
            held(path),
        ):
            pass
    with held(path) as told:
        assert told == []


def test_a_shorter_command_leaves_nothing_of_a_longer_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "stack-dev.lock"
    for command in ("freehold tenant create a-long-name", "freehold up"):
        monkeypatch.setattr(locks, "own_command", lambda command=command: command)
        with held(path), pytest.raises(TransientError, match=rf"\(`{command}`, since "), held(path):
            pass


def test_one_that_has_not_signed_yet_is_waited_for_too(tmp_path: Path) -> None:
    path = tmp_path / "stack-dev.lock"
    with held(path):
        path.write_bytes(b"")
        with pytest.raises(TransientError, match=r"^stack dev: held by another run, "), held(path):
            pass


def test_who_waits_says_for_whom_once_and_is_stopped_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "_LOOK_SECONDS", 0.001)
    path, told, looked = tmp_path / "stack-dev.lock", list[str](), list[None]()

    def stop() -> None:
        looked.append(None)
        if len(looked) == 5:
            raise Interrupted("stack dev")

    with (
        held(path),
        pytest.raises(Interrupted),
        locked(path, "stack dev", wait=60, tell=told.append, stop=stop),
    ):
        pass
    (line,) = told
    assert line.startswith(f"stack dev: waiting for process {os.getpid()} (`freehold")
    assert line.endswith(", at most 60 s")


def test_where_it_cannot_lie_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(FreeholdError, match=rf"^{tmp_path}/run/"), held(tmp_path / "run/stack-dev.lock"):
        pass
