"""Tools are made once, whole or not at all, whoever else makes them and whenever the making is killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from errors import FreeholdError, UsageError
from sandbox.home import CHECKOUT
from sandbox.toolchain import bin_directory, ensure, locate
from sandbox.toolchain.install import default_tools
from sandbox.toolchain.progress import Silent
from sandbox.toolchain.tools import TOOLS, GoBinary, Tool
from tests.toolchain import tiny

MAKE_TINY = [sys.executable, "-m", "tests.toolchain.tiny"]


@pytest.fixture
def tiny_tool(own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Puts the tool `tiny` into the table; returns the folder of its modules."""
    modules = tiny.write(tmp_path / "modules")
    monkeypatch.setitem(TOOLS, "tiny", tiny.tool(modules))
    return modules


def entries(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir() if path.name.startswith("tiny-"))


def test_a_tool_is_built_stamped_and_found_again(tiny_tool: Path, own_cache: Path) -> None:
    built = ensure(["tiny"], Silent())["tiny"]
    assert built.parent.parent == own_cache
    assert subprocess.run([built], capture_output=True, text=True, check=True).stderr == "tiny 1.2.3\n"
    made = built.stat().st_mtime_ns
    assert ensure(["tiny"], Silent())["tiny"] == locate("tiny") == built
    assert built.stat().st_mtime_ns == made


def test_changed_pins_give_another_entry(tiny_tool: Path, own_cache: Path) -> None:
    ensure(["tiny"], Silent())
    with open(tiny_tool / "tiny" / "go.mod", "a", encoding="utf-8") as file:
        file.write("\n// another pin\n")
    with pytest.raises(FreeholdError, match="not installed"):
        locate("tiny")
    ensure(["tiny"], Silent())
    assert len(entries(own_cache)) == 2


def test_two_runs_at_once_build_once(tiny_tool: Path, own_cache: Path) -> None:
    runs = [
        subprocess.Popen(
            [*MAKE_TINY, str(tiny_tool)], cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    answers = [run.communicate(timeout=120) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], answers
    assert len({printed for printed, _ in answers}) == 1
    assert (own_cache / "logs" / "tiny.log").read_text(encoding="utf-8").count(" build ") == 1


def test_a_killed_build_is_taken_up_again(tiny_tool: Path, own_cache: Path, go: Path, tmp_path: Path) -> None:
    # A compiler that gets stuck, so that the kill falls into the build for sure.
    stuck = tmp_path / "stuck"
    stuck.mkdir()
    began = tmp_path / "began"
    script = f'#!/bin/sh\n[ "$1" = build ] || exec {go} "$@"\ntouch {began}\nexec sleep 600\n'
    (stuck / "go").write_text(script, encoding="utf-8")
    (stuck / "go").chmod(0o755)
    environment = {**os.environ, "PATH": f"{stuck}{os.pathsep}{os.environ['PATH']}"}
    run = subprocess.Popen([*MAKE_TINY, str(tiny_tool)], cwd=CHECKOUT, env=environment, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while not began.exists():
            assert run.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    left = list((own_cache / "staging" / "tiny").iterdir())
    assert left and not entries(own_cache)

    assert ensure(["tiny"], Silent())["tiny"].exists()
    assert not (own_cache / "staging" / "tiny").exists()


def test_an_entry_that_lost_its_executable_is_replaced(tiny_tool: Path, own_cache: Path) -> None:
    built = ensure(["tiny"], Silent())["tiny"]
    built.unlink()
    (built.parent / "rest").touch()
    assert ensure(["tiny"], Silent())["tiny"] == built
    assert [path.name for path in built.parent.iterdir()] == ["tiny"]


def test_a_build_that_fails_says_why_in_one_line_and_leaves_nothing(
    own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules = tiny.write(tmp_path / "broken", main="package main\n\nfunc main() { undefined_name() }\n")
    monkeypatch.setitem(TOOLS, "tiny", tiny.tool(modules))
    with pytest.raises(FreeholdError, match=r"building tiny failed: .*undefined_name.*tiny\.log") as failure:
        ensure(["tiny"], Silent())
    assert "\n" not in str(failure.value)
    assert not entries(own_cache)
    assert not (own_cache / "staging" / "tiny").exists()


def test_modules_are_never_changed_by_a_build(own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    main = 'package main\n\nimport _ "golang.org/x/text/language"\n\nfunc main() {}\n'
    modules = tiny.write(tmp_path / "unpinned", main=main)
    before = (modules / "tiny" / "go.mod").read_bytes()
    monkeypatch.setitem(TOOLS, "tiny", tiny.tool(modules))
    with pytest.raises(FreeholdError, match="building tiny failed"):
        ensure(["tiny"], Silent())
    assert (modules / "tiny" / "go.mod").read_bytes() == before


def test_a_cache_that_cannot_be_written_is_named(
    tiny_tool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(FreeholdError, match=r"file/freehold.*cannot be written: Not a directory; .*XDG_CACHE_HOME"):
        ensure(["tiny"], Silent())


def test_an_unknown_tool_is_asked_wrongly() -> None:
    for ask in (lambda: locate("no-such-tool"), lambda: ensure(["no-such-tool"])):
        with pytest.raises(UsageError, match="no-such-tool"):
            ask()


def test_a_missing_tool_names_the_mend(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(FreeholdError, match="doctor --install"):
        locate("kwok")


def test_tools_on_request_are_not_made_unasked() -> None:
    rare = Tool("rare", GoBinary("rare", "freehold.dev/rare"), "1", on_request=True)
    assert default_tools({**TOOLS, "rare": rare}) == list(TOOLS.values())


def test_bin_directory_links_every_tool_that_is_there(tiny_tool: Path) -> None:
    ensure(["tiny"], Silent())
    folder = bin_directory()
    assert subprocess.run([folder / "tiny"], capture_output=True, text=True, check=True).stderr == "tiny 1.2.3\n"
    assert (folder / "psql").resolve() == locate("psql").resolve()
    assert bin_directory() == folder


def test_the_pins_are_the_versions_of_the_table() -> None:
    for tool in TOOLS.values():
        if isinstance(tool.source, GoBinary):
            pins = (tool.source.folder / "go.mod").read_text(encoding="utf-8")
            required = dict(re.findall(r"^(?:require |\t)(\S+) v(\S+)", pins, re.MULTILINE))
            holders = [module for module in required if f"{tool.source.package}/".startswith(f"{module}/")]
            assert required[max(holders, key=len)] == tool.version, tool.name
