"""Ctrl-C where no engine is there to be stopped: it ends what is waited for."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from fleet.interrupts import Interrupted, Interrupts
from fleet.pending import look_up
from fleet.state import PendingOperation, StackState
from sandbox.home import Home
from sandbox.providers.creations import Creations

URN = "urn:pulumi:dev::trivial::aws:s3/bucket:Bucket::b"


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_the_second_ends_a_command_that_does_not_look(capsys: pytest.CaptureFixture[str]) -> None:
    interrupts = Interrupts()
    with interrupts.caught(print):
        press()
        assert interrupts.count == 1
        with pytest.raises(KeyboardInterrupt):
            press()
    assert capsys.readouterr().out == ""


def test_an_engine_at_work_is_left_to_whoever_watches_it(capsys: pytest.CaptureFixture[str]) -> None:
    interrupts = Interrupts()
    with interrupts.caught(print), interrupts.at_work():
        for count in (1, 2, 3):
            press()
            assert interrupts.count == count
            interrupts.announce()
    assert capsys.readouterr().out.count("stopping: the engine finishes what it is doing") == 1


def test_it_ends_the_waiting_for_a_create_in_hand(tmp_path: Path) -> None:
    home, interrupts = Home(tmp_path), Interrupts()
    state = StackState((), (PendingOperation("creating", URN),))

    def stop() -> None:
        if interrupts.count:
            raise Interrupted("stack dev")
        press()

    with (
        Creations(home) as creations,
        creations.attempt(URN),
        interrupts.caught(print),
        pytest.raises(Interrupted, match=r"^stack dev: interrupted"),
    ):
        look_up(home, "dev", state, stop)
