"""Files that are whole or absent: synced before they have their name, of the mode that was asked for, no litter."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from errors import FreeholdError
from sandbox.files import write_atomically


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_file_has_its_mode_whatever_it_replaces(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "folder" / "file"
    for before in (None, 0o666, 0o400):
        if before is not None:
            path.chmod(before)
        write_atomically(path, b"content", mode)
        assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"content", mode)


def test_it_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut would else leave an empty file under the name of a good one."""
    synced, really = list[bytes](), os.fsync

    def sync(descriptor: int) -> None:
        really(descriptor)
        synced.append(os.pread(descriptor, 100, 0))
        assert (tmp_path / "file").read_bytes() == b"before"

    (tmp_path / "file").write_bytes(b"before")
    monkeypatch.setattr(os, "fsync", sync)
    write_atomically(tmp_path / "file", b"after", 0o600)
    assert synced == [b"after"] and (tmp_path / "file").read_bytes() == b"after"


def test_a_full_disk_leaves_what_was_there_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "file").write_bytes(b"before")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FreeholdError, match=f"^{tmp_path}/file: cannot write: No space left on device; free some"):
        write_atomically(tmp_path / "file", b"after", 0o600)
    assert (tmp_path / "file").read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["file"]
