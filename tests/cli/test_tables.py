"""Tables: whole names for scripts, folded text for people, and text that is no markup."""

from __future__ import annotations

import sys

import pytest

from cli.output import show_table
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
