"""Parts of the launcher, called in this process: what is made is whole or known not to be, and what it runs ends with
it."""

from __future__ import annotations

import os
import runpy
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any, NoReturn

import psutil
import pytest

from sandbox.home import CHECKOUT


@pytest.fixture
def launcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Of a checkout of its own, whose environment has a Python that is this one."""
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    loader = SourceFileLoader("launcher", str(CHECKOUT / "freehold"))
    spec = spec_from_loader("launcher", loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    checkout = tmp_path / "checkout"
    made = checkout / ".venv"
    (made / "bin").mkdir(parents=True)
    (made / "bin" / "python").symlink_to(sys.executable)
    (checkout / "requirements.txt").write_text("one==1.0 --hash=sha256:0\n")
    paths = {"CHECKOUT": checkout, "REQUIREMENTS": checkout / "requirements.txt", "ENVIRONMENT": made}
    paths |= {"PYTHON": made / "bin" / "python", "STAMP": made / "freehold.json", "LOG": made / "freehold.log"}
    for name, path in paths.items():
        monkeypatch.setattr(module, name, path)
    monkeypatch.setattr(module, "packages", lambda: f"{made}\nlinux")
    return module


def test_an_environment_that_is_being_changed_is_not_whole(launcher: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed there, and with the lock taken back, the next run would else take it for what it was."""
    monkeypatch.setattr(launcher, "fill", lambda: None)
    launcher.STAMP.write_text(f'{{"checkout": "{launcher.CHECKOUT}", "python": "{launcher.interpreter()}"}}')
    launcher.make()
    assert launcher.current()

    def killed() -> NoReturn:
        assert not launcher.current() and not launcher.STAMP.exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(launcher, "fill", killed)
    with pytest.raises(KeyboardInterrupt):
        launcher.make()
    assert not launcher.current()


@pytest.mark.parametrize("stamp", ["", "{", "[]", '{"requirements": "another"}'])
def test_a_stamp_that_says_something_else_is_none(launcher: Any, stamp: str) -> None:
    launcher.STAMP.write_text(stamp)
    assert not launcher.current()


def test_a_changed_byte_of_the_lock_is_another_environment(launcher: Any) -> None:
    found, kept = launcher.wanted(), launcher.cached()
    launcher.REQUIREMENTS.write_text("one==1.0 --hash=sha256:1\n")
    assert launcher.wanted()["requirements"] != found["requirements"]
    assert launcher.cached() != kept and launcher.cached().parent == kept.parent


def test_another_python_has_another_entry_in_the_cache(launcher: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = launcher.cached()
    monkeypatch.setattr(sys, "version", "3.99")
    assert launcher.cached() != kept


def test_a_cache_folder_that_is_not_absolute_is_none(launcher: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    assert launcher.cached().is_relative_to(Path.home() / ".cache")


def test_only_the_environments_that_were_used_last_are_kept(launcher: Any) -> None:
    folder = launcher.cached().parent
    for number in range(5):
        (folder / str(number)).mkdir(parents=True)
        os.utime(folder / str(number), (number, number))
    launcher.STAMP.touch()
    (launcher.ENVIRONMENT / "lib").mkdir()
    (launcher.ENVIRONMENT / "lib" / "one.py").touch()
    launcher.keep(launcher.cached())
    assert {path.name for path in folder.iterdir()} == {"3", "4", launcher.cached().name}
    kept = {str(path.relative_to(launcher.cached())) for path in launcher.cached().rglob("*") if not path.is_dir()}
    assert kept == {"lib/one.py"}, "its Python, its stamp and its log are its own"
    assert (launcher.cached() / "lib" / "one.py").samefile(launcher.ENVIRONMENT / "lib" / "one.py")


@pytest.mark.parametrize("uv", [True, False])
def test_packages_are_installed_by_their_hashes_into_the_environment_alone(
    launcher: Any, uv: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[list[str]]()
    monkeypatch.setattr(launcher.shutil, "which", lambda name: "/opt/uv" if uv else None)

    def run(command: list[str], _: str) -> bool:
        asked.append(command)
        return True

    monkeypatch.setattr(launcher, "run", run)
    assert launcher.install("installing")
    (command,) = asked
    assert (command[0] == "/opt/uv") is uv
    assert str(launcher.PYTHON) in command and "--require-hashes" in command
    assert command[command.index("--requirement") + 1] == str(launcher.REQUIREMENTS)


def test_what_it_runs_ends_with_it(launcher: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> NoReturn:
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(launcher.subprocess.Popen, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        launcher.run(["sleep", "600"], "sleeping")
    assert not [one for one in psutil.Process().children() if one.name() == "sleep"]


@pytest.mark.parametrize(
    ("raised", "code", "told"),
    [
        (KeyboardInterrupt(), 1, "freehold: stopped; run it again to go on\n"),
        (OSError(28, "No space left on device", "/some/file"), 1, "freehold: /some/file: No space left on device\n"),
    ],
    ids=["Ctrl-C", "a full disk"],
)
def test_how_it_ends_is_one_line_and_an_exit_code(
    raised: BaseException, code: int, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> NoReturn:
        raise raised

    monkeypatch.setattr("hashlib.sha256", fail)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(CHECKOUT / "freehold"), run_name="__main__")
    assert (ended.value.code, capsys.readouterr().err) == (code, told)
