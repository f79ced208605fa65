"""What a stack's state says, and that one that cannot be read is not taken for one that there is not."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from errors import FreeholdError, TransientError
from fleet import state
from fleet.state import PendingOperation, StackState, read_state, refuse_lost
from fleet.state_files import compress, local_backend, state_path, stored

STACK = {"urn": "urn::stack", "type": "pulumi:pulumi:Stack", "outputs": {"answer": 42}}
PROVIDER = {"urn": "urn::aws", "type": "pulumi:providers:aws", "custom": True, "id": "1"}
BUCKET = {"urn": "urn::bucket", "type": "aws:s3/bucket:Bucket", "custom": True, "id": "b", "protect": True}
DEPLOYMENT = {
    "resources": [STACK, PROVIDER, BUCKET],
    "pending_operations": [{"type": "creating", "resource": {"urn": "urn::key"}}],
}


def require_whole(found: StackState | None) -> None:
    assert found is not None
    assert found.outputs == {"answer": 42}
    assert found.managed == (BUCKET,)
    assert found.protected == ("urn::bucket",)
    assert found.pending == (PendingOperation("creating", "urn::key"),)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = state_path(tmp_path / "a folder", "freehold", "dev")
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture
def compressed(file: Path) -> Path:
    return file.with_name("dev.json.gz")


def read(tmp_path: Path) -> StackState | None:
    # As Python's and Go's own libraries write such an address.
    return read_state("freehold", "dev", {"PULUMI_BACKEND_URL": (tmp_path / "a folder").as_uri()}, tmp_path)


def test_from_the_backends_file(file: Path, tmp_path: Path) -> None:
    assert read(tmp_path) is None
    file.write_text(json.dumps({"version": 3, "checkpoint": {"latest": DEPLOYMENT}}))
    require_whole(read(tmp_path))
    file.write_text('{"version": 3, "checkpoint": {"stack": "dev"}}')  # which was made, and never updated
    assert read(tmp_path) == StackState()


def test_from_one_that_is_compressed(compressed: Path, tmp_path: Path) -> None:
    compressed.write_bytes(gzip.compress(json.dumps({"version": 3, "checkpoint": {"latest": DEPLOYMENT}}).encode()))
    require_whole(read(tmp_path))


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", gzip.compress(b"{}")[:-9], gzip.compress(b"{}")[:-3], gzip.compress(b"[")],
    # The time of compressing is within, and workers collect at different times.
    ids=["empty", "no state", "cut short", "without its sum", "no JSON"],
)
def test_a_damaged_one_that_is_compressed(compressed: Path, tmp_path: Path, content: bytes) -> None:
    compressed.write_bytes(content)
    compressed.with_name("dev.json.gz.bak").write_bytes(b"x")
    with pytest.raises(FreeholdError, match=rf"^{compressed}: the state is damaged .*dev\.json\.gz\.bak or from "):
        read(tmp_path)


@pytest.mark.parametrize("content", [b"", b'{"version": 3, "checkp', b"\xff", b"{}", b"[]", b'{"checkpoint": null}'])
def test_a_damaged_one_is_told_with_where_to_have_another_from(file: Path, tmp_path: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(FreeholdError, match=rf"^{file}: the state is damaged .*; restore it from /.*/backups$"):
        read(tmp_path)
    file.with_name("dev.json.bak").write_bytes(b"x")
    with pytest.raises(FreeholdError, match=rf"^{file}: the state is damaged .*dev\.json\.bak or from .*/backups$"):
        read(tmp_path)


def test_one_that_is_compressed_while_it_is_read_is_there(
    file: Path, compressed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(json.dumps({"version": 3, "checkpoint": {"latest": DEPLOYMENT}}))
    environment = {"PULUMI_BACKEND_URL": (tmp_path / "a folder").as_uri(), "PULUMI_DIY_BACKEND_GZIP": "true"}

    def beside(path: Path) -> bytes:
        compress(environment, "freehold", "dev")
        return stored(path)

    monkeypatch.setattr(state, "stored", beside)
    require_whole(read(tmp_path))
    assert compressed.exists() and not file.exists()


def test_one_that_cannot_be_read_is_one_line(file: Path, tmp_path: Path) -> None:
    file.mkdir()
    with pytest.raises(FreeholdError, match=rf"^{file}: cannot read: Is a directory; correct"):
        read(tmp_path)


def lost(tmp_path: Path) -> str:
    """What is said of a stack that has no state."""
    try:
        refuse_lost("freehold", "dev", {"PULUMI_BACKEND_URL": (tmp_path / "a folder").as_uri()})
    except FreeholdError as error:
        return str(error)
    return ""


def test_a_stack_that_had_a_state_is_not_made_anew(file: Path, tmp_path: Path) -> None:
    assert lost(tmp_path) == ""
    history = tmp_path / "a folder/.pulumi/history/freehold/dev"
    history.mkdir(parents=True)
    assert lost(tmp_path) == ""
    checkpoint = json.dumps({"version": 3, "checkpoint": {"latest": DEPLOYMENT}}).encode()
    first, second = history / "dev-100.checkpoint.json", history / "dev-200.checkpoint.json.gz"
    first.write_bytes(checkpoint)
    begun = f"{file}: its state is gone, which held 1 resource; copy"
    anew = f"there; only if nothing of it exists any more, remove {history}"
    assert lost(tmp_path) == f"{begun} {first} {anew}"
    second.write_bytes(gzip.compress(b'{"version": 3, "checkpoint": {"latest": {"resources": []}}}'))
    (history / "dev-300.checkpoint.json.attrs").write_text("{}")
    assert lost(tmp_path) == ""  # it was destroyed
    second.write_bytes(gzip.compress(checkpoint))
    copy = file.with_name("dev.json.gz.bak")
    copy.write_bytes(b"of the run that came to no end")
    os.utime(second, (10, 10))
    assert lost(tmp_path) == f"{begun} {copy} {anew}"
    second.write_bytes(b"")
    assert lost(tmp_path).startswith(f"{file}: its state is gone; copy {copy} there; ")
    copy.unlink()
    assert lost(tmp_path).startswith(
        f"{file}: its state is gone; copy the last of {tmp_path / 'a folder'}/.pulumi/backups "
    )


@pytest.mark.parametrize("address", ["", "s3://bucket?region=us-east-1", "https://api.pulumi.com"])
def test_another_backend_is_none_of_files(address: str) -> None:
    assert local_backend({"PULUMI_BACKEND_URL": address}) is None


def exported(folder: Path, script: str) -> StackState | None:
    """By a CLI that does what `script` says."""
    cli = folder / "pulumi"
    cli.write_text(f"#!/bin/sh\n{script}\n")
    cli.chmod(0o755)
    environment = {"PULUMI_BACKEND_URL": "s3://bucket", "PATH": f"{folder}:/usr/bin:/bin"}
    return read_state("freehold", "dev", environment, folder)


def test_from_any_other_backend(tmp_path: Path) -> None:
    (tmp_path / "exported.json").write_text(json.dumps({"version": 3, "deployment": DEPLOYMENT}))
    require_whole(exported(tmp_path, "cat exported.json"))


def test_only_where_the_cli_says_so_there_is_no_stack(tmp_path: Path) -> None:
    assert exported(tmp_path, "echo \"error: no stack named 'dev' found\" >&2; exit 255") is None
    with pytest.raises(FreeholdError, match=r"^stack dev: .*AccessDenied"):
        exported(tmp_path, "echo 'error: AccessDenied: not authorized' >&2; exit 255")
    with pytest.raises(TransientError, match="connection refused"):
        exported(tmp_path, "echo 'error: dial tcp: connection refused' >&2; exit 255")
    with pytest.raises(FreeholdError, match="exit code 1"):
        exported(tmp_path, "exit 1")


def test_a_backend_that_never_answers_may_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "_EXPORT_SECONDS", 0.05)
    with pytest.raises(TransientError, match=r"^stack dev: its state was not read within 0\.05 s"):
        exported(tmp_path, "exec sleep 60")
