"""A disk that fills up while the state is written: one line, nothing lost, and it goes on once there is room."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from errors import FreeholdError
from fleet.program_host.client import ProgramHost
from fleet.state import read_state
from sandbox.home import CHECKOUT
from tests.rehearsal.freehold import until
from tests.rehearsal.trivial import Trivial

pytestmark = pytest.mark.sandbox

# A mount namespace of one's own needs no root where the kernel lets users have one.
ALONE = ("unshare", "--map-root-user", "--mount")


# Full before the run, with a little left, and filled up while it runs.
ROOMS = ("0", "48", "later")


def test_a_full_disk(tmp_path: Path) -> None:
    if subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this kernel gives users no namespaces of their own")
    program = [sys.executable, "-m", "tests.rehearsal.test_full_disk", str(tmp_path)]
    run = subprocess.run([*ALONE, *program], cwd=CHECKOUT, capture_output=True, text=True, timeout=280, check=False)
    print(run.stdout)
    assert run.returncode == 0, run.stdout + run.stderr
    assert [line for line in run.stdout.splitlines() if line.startswith("room: ")] == [f"room: {one}" for one in ROOMS]


def main(folder: Path) -> None:
    """In a mount namespace: FREEHOLD_HOME lies on a file system of 64 MiB, which is filled up in turn."""
    with ProgramHost("tests.rehearsal.plain_sdk", log=folder / "programs.log") as programs:
        trivial = Trivial(folder, programs)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", str(trivial.home.root)], check=True)
        for path in (trivial.home.backend, trivial.home.pulumi_home):
            path.mkdir(parents=True)
        assert trivial.engine(COUNT="2").up().progress.changes == {"create": 4}
        trivial.variables = {"PULUMI_DIY_BACKEND_GZIP": "true"}  # as the sandbox's; the plain one becomes so amid it
        for number, room in enumerate(ROOMS, start=1):
            print(f"room: {room}", flush=True)
            two_more(trivial, room, 2 * number)


def two_more(trivial: Trivial, room: str, there: int) -> None:
    """A run that would add two files to those that are `there`, with `room` KiB left; then one with room enough."""
    filling = trivial.home.root / "filling"

    def fill_later() -> None:
        until(lambda: trivial.begun(f"shelf-{there}"))
        fill(filling, 0)

    thread = threading.Thread(target=fill_later)
    if room == "later":
        thread.start()
    else:
        fill(filling, int(room) * 1024)
    earlier = set(trivial.made)
    count = str(there + 2)
    try:
        trivial.engine(COUNT=count, SLOW="2").up()
    except FreeholdError as error:
        print(error)
        assert "\n" not in str(error)
        assert "no space left for the state" in str(error)
    else:
        raise AssertionError("it had room")
    if room == "later":
        thread.join()
        # What had begun was finished, and is in the state.
        state = read_state("trivial", "dev", trivial.environment(), trivial.folder)
        assert state is not None
        assert {one["id"].rsplit("/", 1)[-1] for one in state.managed} == set(trivial.made) > earlier
    before = set(trivial.made)
    filling.unlink()
    result = trivial.engine(COUNT=count).up()
    assert set(trivial.made) == {f"shelf-{number}" for number in range(there + 2)} >= before
    assert set(trivial.made.values()) == {"made\n"}, trivial.made
    assert result.state is not None
    assert len(result.state.managed) == there + 2
    assert trivial.engine(COUNT=count).up().changed == 0


def fill(path: Path, left: int) -> None:
    """Fill the disk but for `left` bytes."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                os.write(file.fileno(), bytes(4096))
        except OSError:
            os.ftruncate(file.fileno(), file.tell() - left)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
