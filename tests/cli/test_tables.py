"""Tables: whole names for scripts, folded text for people, and text that is no markup."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone

import pytest

from cli.output import moment, show_table
from tests.cli.terminal import Terminal

COLUMNS = ("process", "state", "")
LONG = "kube-controller-manager-chronos-cloud-sandbox-and-more-of-it-than-eighty-columns-hold"
ROWS = ((LONG, "failed", "ended with exit code 1: cannot lock [/var/lib/x] [red]now[/blue]"), ("moto", "ready", ""))


def test_in_a_pipe_each_row_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(COLUMNS, ROWS)
    header, long, short = capsys.readouterr().out.splitlines()
    assert header.split() == ["process", "state"]
    assert long == f"{LONG}  failed  {ROWS[0][2]}"
    assert short == f"{'moto':{len(LONG)}}  ready"
    assert header.index("state") == long.index("failed") == short.index("ready")


def test_what_a_tenant_is_called_moves_no_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("tenant", "name", "plan"), (("acme", "a\nb", "pro"), ("beta", "\x1b[2J\x9bZoë 株", "pro")))
    assert capsys.readouterr().out.splitlines() == [
        "tenant  name               plan",
        "acme    a\\nb               pro",
        "beta    \\x1b[2J\\x9bZoë 株  pro",
    ]


def test_letters_that_the_terminal_does_not_have_are_spelt() -> None:
    """What was asked for is done by then: a traceback would say that it was not."""
    program = """
from cli import app, output
app.app = lambda prog_name: output.show_table(("tenant", "name"), (("acme", "Zo\\u00eb \\u682a"),))
app.main()
"""
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, timeout=60)
    assert (run.returncode, run.stdout.splitlines()[1:]) == (0, [b"acme    Zo\xeb \\u682a"]), run.stderr


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Los_Angeles", "UTC"])
def test_a_moment_is_the_same_wherever_it_is_looked_at(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert moment(datetime(2026, 11, 23, 5, 45, tzinfo=timezone(timedelta(hours=9)))) == "2026-11-22 20:45 UTC"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (100, ["etcd-main  failed  ended with exit code 1: cannot lock [/var/lib/x]"]),
        (50, ["etcd-main  failed  ended with exit code 1: cannot", "                   lock [/var/lib/x]"]),
        (30, ["etcd-main  failed  ended with", "exit code 1: cannot lock [/var", "/lib/x]"]),
    ],
)
def test_on_a_terminal_the_last_column_is_folded_where_there_is_room(columns: int, told: list[str]) -> None:
    program = """
from cli.output import show_table
why = "ended with exit code 1: cannot lock [/var/lib/x]"
show_table(("process", "state", "why"), (("etcd-main", "failed", why), ("moto", "ready", "")))
"""
    with Terminal([sys.executable, "-c", program], columns=columns) as terminal:
        assert terminal.end() == 0, terminal.shown
        assert [line for line in terminal.shown if line] == ["process    state   why", *told, "moto       ready"]
