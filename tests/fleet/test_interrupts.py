"""Ctrl-C where no engine is there to be stopped: it ends what is waited for."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
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


def test_when_the_engine_has_ended_the_second_ends_the_command_again() -> None:
    interrupts = Interrupts()
    with interrupts.caught(print):
        with interrupts.at_work():
            press()
        with pytest.raises(KeyboardInterrupt):
            press()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_afterwards_a_signal_means_what_it_meant_before(number: signal.Signals) -> None:
    interrupts, told = Interrupts(), list[int]()
    before = signal.signal(number, lambda number, _: told.append(number))
    try:
        with interrupts.caught(print):
            os.kill(os.getpid(), number)
            assert (interrupts.count, told) == (1, [])
        os.kill(os.getpid(), number)
        assert (interrupts.count, told) == (1, [number])
    finally:
        signal.signal(number, before)


def test_a_thread_of_the_runner_takes_no_signals() -> None:
    """It is the process's own to say what they mean there."""
    before = signal.getsignal(signal.SIGTERM)

    def within() -> object:
        with Interrupts().caught(print):
            return signal.getsignal(signal.SIGTERM)

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(within).result() is before


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
