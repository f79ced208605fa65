"""A create whose host was killed: the next host's calls for it are the same calls."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import psutil
import pytest

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


def test_a_create_goes_on_whatever_the_clock_is_set_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Creations(Home(tmp_path)) as creations, creations.attempt(URN):
        clock_set_forward(monkeypatch)
        assert creations.under_way(URN)
        assert creations.cut_off("dev", "test") == ()


def clock_set_forward(monkeypatch: pytest.MonkeyPatch) -> None:
    """By an hour: the kernel keeps when a process started in ticks since the boot, and moves the boot."""
    told = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: told(process) + 3600)


def test_a_journal_of_an_earlier_release_is_read(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.data.mkdir()
    with sqlite3.connect(home.data / "creations.sqlite") as database:
        database.execute("CREATE TABLE under_way (urn TEXT, host INTEGER, started REAL, serial TEXT)")
        serial = "11111111-1111-1111-1111-111111111111"
        database.execute("INSERT INTO under_way VALUES (?, ?, ?, ?)", (URN, *NOBODY, serial))
    database.close()
    with Creations(home) as creations:
        assert creations.cut_off("dev", "test") == (URN,)
        with creations.attempt(URN):
            assert (creation := current()) is not None and creation.serial == serial
    with Creations(home) as creations:
        assert creations.cut_off("dev", "test") == ()


OTHER = URN.replace("::address", "::other")


def killed(home: Home, *urns: str) -> None:
    """A host that was killed at the creates of these."""
    with Creations(home), sqlite3.connect(home.data / "creations.sqlite") as database:
        for number, urn in enumerate(urns):
            serial = f"{number}1111111-1111-1111-1111-111111111111"
            database.execute("INSERT INTO under_way (urn, serial, host, started) VALUES (?, ?, ?, ?)",
                             (urn, serial, *NOBODY))  # fmt: skip
    database.close()


def test_only_a_stack_s_own_are_told_of_it(tmp_path: Path) -> None:
    """A stack's name may begin another's."""
    theirs = (URN.replace(":dev::", ":dev2::"), URN.replace("::test::", "::test2::"))
    killed(Home(tmp_path), URN, *theirs)
    with Creations(Home(tmp_path)) as creations:
        assert creations.cut_off("dev", "test") == (URN,)
        assert creations.cut_off("dev2", "test") == theirs[:1]


def test_what_was_told_is_told_once_and_is_still_the_same_call(tmp_path: Path) -> None:
    killed(Home(tmp_path), URN, OTHER)
    with Creations(Home(tmp_path)) as creations:
        creations.tell([URN])
        assert creations.cut_off("dev", "test") == (OTHER,)
        with creations.attempt(URN):
            creation = current()
            assert creation is not None and creation.taken_over
            assert creation.serial == "01111111-1111-1111-1111-111111111111"


def test_what_is_in_a_state_was_not_cut_off(tmp_path: Path) -> None:
    killed(Home(tmp_path), URN, OTHER)
    with Creations(Home(tmp_path)) as creations:
        creations.settle(URN)
        assert creations.cut_off("dev", "test") == (OTHER,)
        with creations.attempt(URN):
            creation = current()
            assert creation is not None and not creation.taken_over


def test_one_of_two_creates_at_once_ends_alone(tmp_path: Path) -> None:
    """As of a resource whose first engine is gone while its create goes on."""
    with Creations(Home(tmp_path)) as creations, creations.attempt(URN):
        with creations.attempt(URN):
            pass
        assert creations.under_way(URN)


def test_a_replacement_s_old_resource_stays_when_the_new_one_goes(tmp_path: Path) -> None:
    with Creations(Home(tmp_path)) as creations:
        for id in ("old", "new"):
            creations.record(URN, id)
        creations.forget(URN, "new")
        assert creations.ids(URN) == ("old",)
