"""A create whose host was killed: the next host's calls for it are the same calls."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sandbox.home import Home
from sandbox.providers.creations import Creations, current

URN = "urn:pulumi:dev::test::aws:ec2/eip:Eip::address"
NOBODY = (2**22 + 1, 0.0)
"""A process that cannot live: its number is above the kernel's highest."""


def calls(creations: Creations) -> list[str]:
    with creations.attempt(URN):
        creation = current()
        assert creation is not None
        return [creation.invocation("ec2 allocate {}"), creation.invocation("ec2 allocate {}")]


def test_each_create_s_calls_are_its_own(tmp_path: Path) -> None:
    with Creations(Home(tmp_path)) as creations:
        made = [*calls(creations), *calls(creations)]
    assert len(set(made)) == 4
    assert current() is None


def test_the_calls_of_a_killed_host_are_sent_again_as_the_same(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with Creations(home) as creations, creations.attempt(URN):
        creation = current()
        assert creation is not None
        before = [creation.invocation("ec2 allocate {}"), creation.invocation("ec2 allocate {}")]
        # As if this host had been killed here.
        with sqlite3.connect(home.data / "creations.sqlite") as database:
            database.execute("UPDATE under_way SET host = ?, started = ?", NOBODY)
        database.close()
        with Creations(home) as next_host:
            assert not next_host.under_way(URN)
            assert calls(next_host) == before
            assert not set(calls(next_host)) & set(before)
