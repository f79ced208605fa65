"""A disk that fills up while the state is written: one line, nothing lost, and it goes on once there is room."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from errors import FreeholdError
from fleet.state import read_state
from sandbox.home import CHECKOUT
from tests.rehearsal.freehold import until
from tests.rehearsal.trivial import Trivial

pytestmark = pytest.mark.sandbox

# A mount namespace of one's own needs no root where the kernel lets users have one.
ALONE = ("unshare", "--map-root-user", "--mount")


# Full before the second run, with a little left, and filled up while it runs.
@pytest.mark.parametrize("room", ["0", "48", "later"])
def test_a_full_disk(tmp_path: Path, room: str) -> None:
    if subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this kernel gives users no namespaces of their own")
    program = [sys.executable, "-m", "tests.rehearsal.test_full_disk", str(tmp_path), room]
    run = subprocess.run([*ALONE, *program], cwd=CHECKOUT, capture_output=True, text=True, timeout=200, check=False)
    print(run.stdout)
    assert run.returncode == 0, run.stdout + run.stderr


def main(folder: Path, room: str) -> None:
    """In a mount namespace: FREEHOLD_HOME lies on a file system of 64 MiB, with `room` KiB left for the second run."""
    trivial = Trivial(folder)
    home = trivial.home.root
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", str(home)], check=True)
    for path in (trivial.home.backend, trivial.home.pulumi_home):
        path.mkdir(parents=True)
    assert trivial.engine(COUNT="2").up().progress.changes == {"create": 4}
    filling = home / "filling"

    def fill_later() -> None:
        until(lambda: trivial.begun("shelf-2"))
        fill(filling, 0)

    thread = threading.Thread(target=fill_later)
    if room == "later":
        thread.start()
    else:
        fill(filling, int(room) * 1024)
    try:
        trivial.engine(COUNT="4", SLOW="2").up()
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
        assert {one["id"].rsplit("/", 1)[-1] for one in state.managed} == set(trivial.made) > {"shelf-0", "shelf-1"}
    before = set(trivial.made)
    filling.unlink()
    result = trivial.engine(COUNT="4").up()
    assert set(trivial.made) == {f"shelf-{number}" for number in range(4)} >= before
    assert set(trivial.made.values()) == {"made\n"}, trivial.made
    assert result.state is not None
    assert len(result.state.managed) == 4
    assert trivial.engine(COUNT="4").up().changed == 0


def fill(path: Path, left: int) -> None:
    """Fill the disk but for `left` bytes."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                os.write(file.fileno(), bytes(4096))
        except OSError:
            os.ftruncate(file.fileno(), file.tell() - left)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
