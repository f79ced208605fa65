"""What becomes of an operation that takes longer than any may."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from unittest.mock import create_autospec

import pytest
import sqlalchemy as sa
import structlog

from fleet.interrupts import Interrupted
from fleet.operations import State
from fleet.queue import Queue
from fleet.runner.running import Run
from tests.fleet.samples import add_tenants, ask
from tests.fleet.test_runner_loop import PACE, Scripted, ended, running, until, well

pytestmark = pytest.mark.sandbox


def test_what_takes_too_long_is_stopped_and_tried_again(database: sa.Engine) -> None:
    add_tenants(database, "acme")
    told = []

    def hangs(run: Run) -> None:
        until(lambda: run.interrupts.count > 0)
        told.append(run.interrupts.count)
        raise Interrupted("stack acme")

    def hangs_until_it_is_ended(run: Run) -> None:
        until(lambda: run.interrupts.count > 1)
        hangs(run)

    steps: list[Callable[[Run], None]] = [hangs, hangs_until_it_is_ended, well]
    short = replace(PACE, longest=0.3, grace=0.1)
    with structlog.testing.capture_logs() as lines, running(database, Scripted({"acme": steps}), short):
        done = ended(database, ask(database, "acme"))
    assert (done.state, done.attempt, done.failures, told) == (State.SUCCEEDED, 3, 2, [1, 2])
    stopped = [line for line in lines if line["event"] == "operation-to-be-retried"]
    assert all(line["error"].startswith("tenant acme: stopped after 0.0 minutes") for line in stopped)
    assert [line["event"] for line in lines].count("operation-overdue") == len(stopped) == 2


def test_what_always_takes_too_long_is_given_up_and_holds_up_nobody(database: sa.Engine) -> None:
    add_tenants(database, "acme", "beta")

    def hangs(run: Run) -> None:
        until(lambda: run.interrupts.count > 0)
        raise Interrupted("stack acme")

    with running(database, Scripted({"acme": [hangs]}), replace(PACE, concurrency=1, longest=0.2)):
        asked, other = ask(database, "acme"), ask(database, "beta")
        assert ended(database, other).state is State.SUCCEEDED
        done = ended(database, asked)
    assert (done.state, done.attempt) == (State.FAILED, 3)
    assert (done.error or "").startswith("given up after 3 failures: tenant acme: stopped after ")


def test_what_was_told_to_stop_before_is_no_failure() -> None:
    """It is on its way to be handed back."""
    operation = SimpleNamespace(id=uuid.uuid4(), tenant="acme")
    claim: Any = SimpleNamespace(asked=time.monotonic(), operation=operation)
    run = Run(
        create_autospec(Queue), claim, lease_seconds=60, heartbeat_seconds=60, longest_seconds=0.05, grace_seconds=0.05
    )
    run.interrupts.count = 1
    with run:
        time.sleep(0.15)
    assert (run.overdue, run.interrupts.count) == (False, 1)
