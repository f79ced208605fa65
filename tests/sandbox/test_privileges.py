"""What a process that gives up root has left, and what none of our processes inherits."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from sandbox.supervisor.privileges import launch_command, own
from sandbox.supervisor.spec import ProcessSpec

READ_SEARCH = 1 << 2
"""CAP_DAC_READ_SEARCH, capabilities(7)."""


def status(*, unprivileged: bool) -> dict[str, str]:
    """What /proc/PID/status says of a process that is started so (proc_pid_status(5))."""
    spec = ProcessSpec("kept", "test", ("cat", "/proc/self/status"), lambda: None, unprivileged=unprivileged)
    told = subprocess.run(launch_command(spec), capture_output=True, text=True, check=True).stdout
    return {name: value.strip() for name, _, value in (line.partition(":") for line in told.splitlines())}


def test_who_gives_up_root_keeps_no_more_than_to_read_files() -> None:
    left = status(unprivileged=True)
    users = {int(one) for one in (left["Uid"] + " " + left["Gid"]).split()}
    assert 0 not in users
    assert int(left["CapEff"], 16) | int(left["CapPrm"], 16) | int(left["CapAmb"], 16) in (0, READ_SEARCH)
    if os.geteuid() == 0:
        assert left["Groups"] == "", "root's own groups would go along"


def test_who_does_not_stays_who_it_was() -> None:
    assert status(unprivileged=False)["Uid"].split()[1] == str(os.geteuid())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_a_link_leads_to_is_not_given_away(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "ours").touch()
    (tmp_path / "data" / "file").touch()
    (tmp_path / "data" / "link").symlink_to(tmp_path / "ours")
    own(tmp_path / "data")
    assert (tmp_path / "data" / "file").stat().st_uid != 0
    assert (tmp_path / "ours").stat().st_uid == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_a_running_server_removes_meanwhile_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "file").touch()
    give = os.chown

    def removed_meanwhile(path: str, *owner: int, follow_symlinks: bool) -> None:
        if Path(path) == tmp_path / "data" / "a":
            (tmp_path / "data" / "a" / "file").unlink()
        give(path, *owner, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(os, "chown", removed_meanwhile)
    own(tmp_path / "data")
    assert (tmp_path / "data" / "b" / "file").stat().st_uid != 0
