"""Which file holds a stack's state, and how a plain one becomes a compressed one without being lost."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from errors import FreeholdError, TransientError
from fleet.state_files import compress, compresses, last_copy, make_empty, state_copies, state_path, stored

PLAIN, COMPRESSED = "dev.json", "dev.json.gz"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / ".pulumi/stacks/freehold"
    made.mkdir(parents=True)
    return made


def chosen(tmp_path: Path) -> str:
    return state_path(tmp_path, "freehold", "dev").name


def compressing(backend: Path) -> dict[str, str]:
    """The engine's environment."""
    return {"PULUMI_BACKEND_URL": backend.as_uri(), "PULUMI_DIY_BACKEND_GZIP": "true"}


def put(path: Path, seconds: int, content: bytes = b"{}") -> Path:
    path.write_bytes(content)
    os.utime(path, (seconds, seconds))
    return path


def test_of_two_forms_the_engine_s_is_read(tmp_path: Path, folder: Path) -> None:
    assert chosen(tmp_path) == PLAIN
    put(folder / COMPRESSED, 10)
    assert chosen(tmp_path) == COMPRESSED
    for seconds, name in ((9, COMPRESSED), (10, COMPRESSED), (11, PLAIN)):
        put(folder / PLAIN, seconds)
        assert chosen(tmp_path) == name
    (folder / COMPRESSED).unlink()
    assert chosen(tmp_path) == PLAIN


def test_where_nobody_may_look_there_is_not_no_state(tmp_path: Path) -> None:
    (tmp_path / ".pulumi").write_text("")  # as a folder of another user's, which root may look into
    with pytest.raises(
        FreeholdError, match=rf"^{tmp_path}/\.pulumi/stacks/freehold: cannot read: Not a directory; cor"
    ):
        chosen(tmp_path)


def test_a_plain_one_is_compressed_and_kept_as_the_one_before(tmp_path: Path, folder: Path) -> None:
    compress(compressing(tmp_path), "freehold", "dev")
    assert list(folder.iterdir()) == []
    put(folder / PLAIN, 10, b'{"a": 1}').chmod(0o600)
    for _ in range(2):
        compress(compressing(tmp_path), "freehold", "dev")
        found = state_path(tmp_path, "freehold", "dev")
        assert (found.name, stored(found), found.stat().st_mode & 0o777) == (COMPRESSED, b'{"a": 1}', 0o600)
        assert {path.name: stored(path) for path in folder.iterdir() if path != found} == {"dev.json.bak": b'{"a": 1}'}


def test_ended_between_its_two_steps_nothing_is_lost(tmp_path: Path, folder: Path) -> None:
    put(folder / PLAIN, 10, b'{"a": 1}')
    (folder / "dev.json.bak").mkdir()
    with pytest.raises(FreeholdError, match=rf"^{folder / PLAIN}: cannot write: "):
        compress(compressing(tmp_path), "freehold", "dev")
    assert (folder / PLAIN).exists()
    found = state_path(tmp_path, "freehold", "dev")
    assert (found.name, stored(found)) == (COMPRESSED, b'{"a": 1}')
    put(folder / PLAIN, 2**33, b'{"a": 2}')  # by an engine that was told not to compress
    (folder / "dev.json.bak").rmdir()
    compress(compressing(tmp_path), "freehold", "dev")
    assert stored(state_path(tmp_path, "freehold", "dev")) == b'{"a": 2}'


def test_only_where_states_shall_be_compressed(tmp_path: Path, folder: Path) -> None:
    plain = put(folder / PLAIN, 10)
    compress({"PULUMI_BACKEND_URL": tmp_path.as_uri()}, "freehold", "dev")
    compress({**compressing(tmp_path), "PULUMI_BACKEND_URL": "s3://bucket"}, "freehold", "dev")
    assert list(folder.iterdir()) == [plain]


def test_an_older_plain_one_does_not_outlive_the_compressed_one(tmp_path: Path, folder: Path) -> None:
    """As a conversion leaves it that was killed between its steps: with the newer one removed it would be the state."""
    put(folder / PLAIN, 10, b'{"a": 1}')
    put(folder / COMPRESSED, 11, gzip.compress(b'{"a": 2}'))
    compress(compressing(tmp_path), "freehold", "dev")
    assert sorted(path.name for path in folder.iterdir()) == ["dev.json.bak", COMPRESSED]
    assert stored(folder / COMPRESSED) == b'{"a": 2}'


def test_a_form_is_told_by_what_is_in_it(tmp_path: Path, folder: Path) -> None:
    """As by the engine. Who restores a state may copy what was compressed to the plain one's name, or the other way."""
    assert stored(put(folder / COMPRESSED, 9, b'{"a": 1}')) == b'{"a": 1}'
    assert stored(put(folder / PLAIN, 10, gzip.compress(b'{"a": 2}'))) == b'{"a": 2}'
    compress(compressing(tmp_path), "freehold", "dev")
    assert gzip.decompress((folder / COMPRESSED).read_bytes()) == b'{"a": 2}'


def test_the_last_copy_is_the_youngest_of_either_form(tmp_path: Path, folder: Path) -> None:
    def last() -> str | None:
        found = last_copy(tmp_path, "freehold", "dev")
        return found.name if found else None

    assert last() is None
    put(folder / "dev.json.gz.bak", 10)
    put(folder / "dev.json.gz.bak.attrs", 99)
    assert last() == "dev.json.gz.bak"
    put(folder / "dev.json.bak", 11)
    assert last() == "dev.json.bak"
    put(folder / "dev.json.bak", 12, b"")  # of a disk that was full
    assert last() == "dev.json.gz.bak"


def test_copies_have_either_form(tmp_path: Path) -> None:
    names = [path.name for path in state_copies(tmp_path, "freehold", "dev")]
    assert names == ["dev.json.bak", "dev.json.bak.attrs", "dev.json.gz.bak", "dev.json.gz.bak.attrs"]


@pytest.mark.parametrize(
    ("value", "whether"), [("true", True), ("TRUE", True), ("1", True), ("false", False), ("", False)]
)
def test_the_variable_is_read_as_the_engine_reads_it(value: str, whether: bool) -> None:
    assert compresses({"PULUMI_DIY_BACKEND_GZIP": value}) is whether
    assert not compresses({})


def used(backend: Path) -> Path:
    """One that an engine has written stacks to."""
    (backend / ".pulumi").mkdir(exist_ok=True)
    (backend / ".pulumi/meta.yaml").write_text("version: 1\n")
    return backend


@pytest.mark.parametrize(("compressing_it", "name"), [("true", COMPRESSED), ("false", PLAIN)])
def test_an_empty_state_has_the_form_that_the_engine_writes(tmp_path: Path, compressing_it: str, name: str) -> None:
    environment = {**compressing(used(tmp_path)), "PULUMI_DIY_BACKEND_GZIP": compressing_it}
    assert make_empty(environment, "freehold", "dev")
    made = tmp_path / ".pulumi/stacks/freehold" / name
    assert json.loads(stored(made)) == {"version": 3, "checkpoint": {"stack": "organization/freehold/dev"}}
    assert made.read_bytes().startswith(b"\x1f\x8b") == (name == COMPRESSED)
    assert [path.name for path in made.parent.iterdir()] == [name]
    assert made.stat().st_mode & 0o777 == 0o644


def test_an_empty_state_takes_no_other_one_s_place(tmp_path: Path, folder: Path) -> None:
    """As of a preview, which takes no lock, that has made the stack since it was looked for: a runner tries again."""
    put(folder / COMPRESSED, 1, b"of another run")
    with pytest.raises(TransientError) as refused:
        make_empty(compressing(used(tmp_path)), "freehold", "dev")
    assert refused.value.line() == "stack dev: another run has made it; run it again"
    assert (folder / COMPRESSED).read_bytes() == b"of another run"
    assert [path.name for path in folder.iterdir()] == [COMPRESSED]


def test_the_first_stack_of_a_backend_is_the_engine_s_to_make(tmp_path: Path) -> None:
    """It also writes how stacks are named there; and of a bucket it alone knows how to write to it."""
    assert not make_empty(compressing(tmp_path), "freehold", "dev")
    assert not make_empty({"PULUMI_BACKEND_URL": "s3://states"}, "freehold", "dev")
    assert not list(tmp_path.iterdir())


def test_where_an_empty_state_cannot_be_written_it_is_one_line(tmp_path: Path) -> None:
    (used(tmp_path) / ".pulumi/stacks").write_text("in its way")
    with pytest.raises(FreeholdError, match="cannot write"):
        make_empty(compressing(tmp_path), "freehold", "dev")
