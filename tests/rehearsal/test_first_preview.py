"""The preview of a stack that is not there yet leaves none behind, however it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from errors import FreeholdError
from fleet.events import Progress
from fleet.interrupts import Interrupted, Interrupts
from fleet.locks import locked
from fleet.state import read_state
from fleet.state_files import state_path
from tests.rehearsal.trivial import Trivial, living

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(600)]


KEPT = ("stacks", "backups", "history")


def kept(trivial: Trivial) -> dict[Path, bytes]:
    """The backend and the stack's files, but for what the engine writes of the backend itself."""
    folders = (*(trivial.home.backend / ".pulumi" / kind for kind in KEPT), trivial.folder / "work")
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {path: path.read_bytes() for path in files if path.suffix != ".pyc"}


def test_it_leaves_nothing(trivial: Trivial) -> None:
    (trivial.folder / "work/Pulumi.dev.yaml").write_text("# Sizes.\n\nconfig: {}\n")
    before = kept(trivial)
    shown = trivial.engine().preview()
    assert (shown.progress.changes, shown.state) == ({"create": 5}, None)
    assert kept(trivial) == before
    assert trivial.told == []
    assert trivial.engine().up().progress.changes == {"create": 5}
    assert trivial.engine().preview().state is not None
    assert read_state("trivial", "dev", trivial.environment(), trivial.folder / "work") is not None


def test_it_leaves_nothing_that_is_compressed(trivial: Trivial) -> None:
    before = kept(trivial)
    trivial.engine(PULUMI_DIY_BACKEND_GZIP="true").preview()
    assert kept(trivial) == before


def test_it_leaves_nothing_where_it_fails(trivial: Trivial) -> None:
    before = kept(trivial)
    with pytest.raises(FreeholdError, match=r"^stack dev"):
        trivial.engine(COUNT="many").preview()
    assert kept(trivial) == before


def test_it_leaves_nothing_after_ctrl_c(trivial: Trivial) -> None:
    before, interrupts = kept(trivial), Interrupts()

    def stop(progress: Progress) -> None:
        if interrupts.count == 0 and read_state("trivial", "dev", trivial.environment(), trivial.folder) is not None:
            interrupts.count = 1

    with pytest.raises(Interrupted):
        trivial.engine(interrupts=interrupts, observe=stop, LINGER="60").preview()
    assert kept(trivial) == before
    assert not living(trivial.folder)


def test_the_last_copy_of_a_lost_state_stays(trivial: Trivial) -> None:
    trivial.engine().up()
    trivial.engine().up()
    state = state_path(trivial.home.backend, "trivial", "dev")
    for lost in (state, state.with_suffix(".json.attrs")):
        lost.unlink()
    before = kept(trivial)
    assert b"shelf-0" in before[state.with_suffix(".json.bak")]
    assert len([path for path in before if path.name.endswith(".checkpoint.json")]) == 2
    copy = max(path for path in before if path.name.endswith(".checkpoint.json"))
    engine = trivial.engine()
    for command in (engine.preview, engine.up, engine.destroy, engine.refresh):
        with pytest.raises(FreeholdError) as refused:
            command()
        told = f"{state}: its state is gone, which held 3 resources; copy {copy} there; only if "
        assert str(refused.value).startswith(told)
        assert kept(trivial) == before
    state.write_bytes(copy.read_bytes())
    assert trivial.engine().up().progress.changes == {"same": 5}
    trivial.engine().destroy()
    state.unlink()  # of nothing
    assert trivial.engine().up().progress.changes == {"create": 5}


def test_one_that_another_run_has_taken_stays(trivial: Trivial) -> None:
    """As an `up` that began meanwhile, and waits or works under the stack's lock."""
    lock = trivial.home.run / "stack-dev.lock"
    with locked(lock, "stack dev", wait=0, tell=print, stop=lambda: None):
        trivial.engine().preview()
    assert read_state("trivial", "dev", trivial.environment(), trivial.folder / "work") is not None
    assert "encryptionsalt" in (trivial.folder / "work/Pulumi.dev.yaml").read_text()
    (told,) = trivial.told
    assert told.startswith("stack dev: the empty one that was made for the preview stays: stack dev: held by process ")
