"""The launcher, in small checkouts whose requirements are wheels made here: nothing is downloaded."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
import zipfile
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from sandbox.home import CHECKOUT

LAUNCHER = CHECKOUT / "freehold"
COMMAND = """
import json, sys
from importlib.metadata import distributions
installed = sorted(d.name for d in distributions() if d.name.startswith("freehold-test"))
print(json.dumps({"arguments": sys.argv[1:], "installed": installed, "prefix": sys.prefix}))
sys.exit(7)
"""


@dataclass(frozen=True)
class Checkout:
    """A copy of the launcher with a command that says what it was given and exits with 7."""

    root: Path

    def require(self, *names: str, wrong_hash: bool = False) -> None:
        """Make requirements.txt ask for one tiny wheel per name."""
        lines = ["--no-index", "--find-links wheels"]
        for name in names:
            wheel = self._wheel(name)
            digest = "0" * 64 if wrong_hash else hashlib.sha256(wheel.read_bytes()).hexdigest()
            lines.append(f"{name}==1.0 --hash=sha256:{digest}")
        (self.root / "requirements.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _wheel(self, name: str) -> Path:
        module = name.replace("-", "_")
        wheel = self.root / "wheels" / f"{module}-1.0-py3-none-any.whl"
        wheel.parent.mkdir(exist_ok=True)
        info = f"{module}-1.0.dist-info"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(zipfile.ZipInfo(f"{module}.py"), "")
            archive.writestr(
                zipfile.ZipInfo(f"{info}/METADATA"), f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
            )
            archive.writestr(
                zipfile.ZipInfo(f"{info}/WHEEL"), "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            archive.writestr(zipfile.ZipInfo(f"{info}/RECORD"), "")
        return wheel

    def start(self, *arguments: str, folder: Path | None = None, path: str = "/usr/bin:/bin") -> subprocess.Popen[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
        return subprocess.Popen(
            [sys.executable, str(self.root / "freehold"), *arguments],
            cwd=folder or self.root,
            env={**environment, "PATH": path, "XDG_CACHE_HOME": str(self.root.parent / "cache")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, folder: Path | None = None, path: str = "/usr/bin:/bin") -> tuple[int, str, str]:
        """Exit code, standard output and standard error."""
        child = self.start(*arguments, folder=folder, path=path)
        out, err = child.communicate(timeout=120)
        return child.returncode, out, err


def make_checkout(root: Path) -> Checkout:
    (root / "cli").mkdir(parents=True)
    shutil.copy(LAUNCHER, root / "freehold")
    (root / "cli" / "__init__.py").touch()
    (root / "cli" / "__main__.py").write_text(COMMAND, encoding="utf-8")
    made = Checkout(root)
    made.require("freehold-test-one")
    return made


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """In which the launcher has not run, and a cache that holds nothing."""
    return make_checkout(tmp_path / "a checkout")


@dataclass(frozen=True)
class FirstRun:
    """A checkout in which the launcher has run once, with a cache that held nothing; and what it said."""

    checkout: Checkout
    answer: tuple[int, str, str]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> FirstRun:
    made = make_checkout(tmp_path_factory.mktemp("first") / "a checkout")
    return FirstRun(made, made.run("tenant", "create", "acme corp", "--yes"))


@pytest.fixture
def begun(checkout: Checkout, first: FirstRun) -> Checkout:
    """A checkout that has its environment. It is of a copy of what the first run left in its cache: making one anew
    takes the launcher seconds."""
    shutil.copytree(first.checkout.root.parent / "cache", checkout.root.parent / "cache", symlinks=True)
    code, _, err = checkout.run()
    assert code == 7 and "installing" not in err, err
    return checkout


def test_it_makes_the_environment_once_and_hands_over(first: FirstRun, tmp_path: Path) -> None:
    checkout = first.checkout
    code, out, err = first.answer
    assert code == 7, err
    said = json.loads(out)
    assert said["arguments"] == ["tenant", "create", "acme corp", "--yes"]
    assert said["installed"] == ["freehold-test-one"]
    assert Path(said["prefix"]) == checkout.root / ".venv"
    assert "installing 1 packages into .venv" in err

    # Again, from a folder with a `cli` of its own: nothing is made, and ours is run.
    (tmp_path / "elsewhere" / "cli").mkdir(parents=True)
    (tmp_path / "elsewhere" / "cli" / "__main__.py").write_text("raise SystemExit(9)", encoding="utf-8")
    code, out, err = checkout.run(folder=tmp_path / "elsewhere")
    assert (code, err) == (7, "")
    assert json.loads(out)["arguments"] == []


def test_a_changed_lock_is_installed(begun: Checkout) -> None:
    begun.require("freehold-test-one", "freehold-test-two")
    code, out, err = begun.run()
    assert code == 7, err
    assert json.loads(out)["installed"] == ["freehold-test-one", "freehold-test-two"]


def test_another_checkout_takes_the_environment_and_has_scripts_and_changes_of_its_own(first: FirstRun) -> None:
    checkout = first.checkout
    assert "installing" in first.answer[2]
    other = Checkout(checkout.root.with_name("other checkout"))
    shutil.copytree(checkout.root, other.root, ignore=shutil.ignore_patterns(".venv*", "wheels"))
    code, out, err = other.run()
    assert code == 7 and "installing" not in err and "another checkout" in err, err
    said = json.loads(out)
    assert (said["installed"], said["prefix"]) == (["freehold-test-one"], str(other.root / ".venv"))
    show = [str(other.root / ".venv" / "bin" / "pip"), "--version"]
    assert str(other.root) in subprocess.run(show, capture_output=True, text=True, check=True).stdout
    for mine in (checkout, other):
        (site,) = (mine.root / ".venv").glob("lib/python*/site-packages")
        assert (site / "freehold.pth").read_text() == f"{mine.root}\n"

    # What one of them changes, the other does not get.
    other.require("freehold-test-one", "freehold-test-two")
    assert json.loads(other.run()[1])["installed"] == ["freehold-test-one", "freehold-test-two"]
    assert json.loads(checkout.run()[1])["installed"] == ["freehold-test-one"]


def test_a_cache_that_cannot_be_written_or_read_is_done_without(checkout: Checkout, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file", encoding="utf-8")
    code, out, err = checkout.run()
    assert code == 7, err
    assert json.loads(out)["installed"] == ["freehold-test-one"]


def test_a_linked_environment_is_left_alone(checkout: Checkout, tmp_path: Path) -> None:
    (tmp_path / "of another").mkdir()
    (tmp_path / "of another" / "kept").touch()
    (checkout.root / ".venv").symlink_to(tmp_path / "of another")
    code, out, err = checkout.run()
    assert (code, out) == (1, "")
    assert "is a link to" in err.splitlines()[-1] and "remove the link" in err.splitlines()[-1]
    assert [path.name for path in (tmp_path / "of another").iterdir() if path.suffix == ""] == ["kept"]


def test_a_moved_checkout_gets_a_new_environment(begun: Checkout) -> None:
    moved = Checkout(begun.root.rename(begun.root.with_name("moved")))
    moved.require("freehold-test-one")
    code, out, err = moved.run()
    assert code == 7, err
    assert Path(json.loads(out)["prefix"]) == moved.root / ".venv"


def test_after_an_upgrade_of_python_the_environment_is_made_anew(begun: Checkout, tmp_path: Path) -> None:
    """Its Python is a link, behind which another version lies then, which looks for packages in another folder."""
    environment = begun.root / ".venv"
    upgraded = shutil.copy2(os.path.realpath(sys.executable), tmp_path)
    (environment / "bin" / "python").unlink()
    (environment / "bin" / "python").symlink_to(upgraded)
    (library,) = (environment / "lib").glob("python*")
    library.rename(library.with_name("python3.9"))
    code, out, err = begun.run()
    assert code == 7, err
    assert json.loads(out)["installed"] == ["freehold-test-one"]
    assert not (environment / "lib" / "python3.9").exists()
    assert begun.run()[2] == ""


def test_an_upgrade_that_keeps_the_version_keeps_the_packages(begun: Checkout, tmp_path: Path) -> None:
    python = begun.root / ".venv" / "bin" / "python"
    upgraded = shutil.copy2(os.path.realpath(sys.executable), tmp_path)
    python.unlink()
    python.symlink_to(upgraded)
    (site,) = (begun.root / ".venv").glob("lib/python*/site-packages")
    (site / "mine.txt").touch()
    code, _, err = begun.run()
    assert code == 7, err
    assert (site / "mine.txt").exists()
    assert begun.run()[2] == ""


def test_a_wrong_hash_is_refused_in_one_line_and_mended_by_the_next_run(begun: Checkout) -> None:
    begun.require("freehold-test-two", wrong_hash=True)
    code, out, err = begun.run()
    assert (code, out) == (1, "")
    last = err.splitlines()[-1]
    assert "failed" in last and "hash" in last.lower() and str(begun.root / ".venv" / "freehold.log") in last
    assert "Traceback" not in err

    begun.require("freehold-test-two")
    code, out, err = begun.run()
    assert code == 7, err
    assert json.loads(out)["installed"] == ["freehold-test-two"]


def test_two_runs_at_once_install_once(checkout: Checkout) -> None:
    runs = [checkout.start(str(number)) for number in range(2)]
    answers = [run.communicate(timeout=120) for run in runs]
    assert [run.returncode for run in runs] == [7, 7], answers
    assert [json.loads(out)["arguments"] for out, _ in answers] == [["0"], ["1"]]
    assert sorted("installing" in err for _, err in answers) == [False, True]
    assert sorted("waiting for another run" in err for _, err in answers) == [False, True]


def test_a_killed_run_is_finished_by_the_next(checkout: Checkout) -> None:
    run = checkout.start()
    python = checkout.root / ".venv" / "bin" / "python"
    deadline = time.monotonic() + 60
    while not python.exists():
        assert run.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(run.pid, signal.SIGKILL)  # pip comes a second later
    run.communicate()
    assert run.returncode == -signal.SIGKILL
    assert not (checkout.root / ".venv" / "freehold.json").exists()
    code, out, err = checkout.run()
    assert code == 7, err
    assert json.loads(out)["installed"] == ["freehold-test-one"]


def test_uv_that_fails_gives_way_to_pip(begun: Checkout, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "uv").write_text("#!/bin/sh\nexit 3\n", encoding="utf-8")
    (tmp_path / "bin" / "uv").chmod(0o755)
    begun.require("freehold-test-one", "freehold-test-two")
    code, out, err = begun.run(path=f"{tmp_path / 'bin'}:/usr/bin:/bin")
    assert code == 7, err
    assert "with uv" in err
    assert json.loads(out)["installed"] == ["freehold-test-one", "freehold-test-two"]


@pytest.mark.parametrize(
    ("called", "version", "pip", "taken"),
    [
        ("python3", f"python3.{sys.version_info.minor}", True, True),
        ("python3", f"python3.{sys.version_info.minor + 1}", True, True),
        ("python3", f"python3.{sys.version_info.minor - 1}", True, False),
        ("python3", f"python3.{sys.version_info.minor}", False, False),
        ("python3.11", f"python3.{sys.version_info.minor}", True, False),
    ],
    ids=["as new", "newer", "older", "without pip", "another was named"],
)
def test_the_environment_is_made_by_the_distributions_python(
    checkout: Checkout, tmp_path: Path, called: str, version: str, pip: bool, taken: bool
) -> None:
    distribution = tmp_path / "usr" / "bin" / "python3"
    distribution.parent.mkdir(parents=True)
    distribution.symlink_to(version)
    distribution.with_name(version).write_text('#!/bin/sh\necho "$@"\n', encoding="utf-8")
    distribution.with_name(version).chmod(0o755)
    if pip:
        (tmp_path / "usr" / "lib" / version / "ensurepip").mkdir(parents=True)
    launcher = checkout.root / "freehold"
    text = launcher.read_text(encoding="utf-8")
    assert text.count('Path("/usr/bin/python3")') == 1
    launcher.write_text(text.replace("/usr/bin/python3", str(distribution)), encoding="utf-8")
    (checkout.root / ".venv").symlink_to(tmp_path)  # which whoever would make it here leaves alone, and says so

    line = [called, str(launcher), "tenant", "list"]
    run = subprocess.run(line, executable=sys.executable, capture_output=True, text=True, check=False)
    if taken:
        assert (run.returncode, run.stdout) == (0, f"{launcher} tenant list\n"), run.stderr
    else:
        assert run.returncode == 1 and "is a link to" in run.stderr


def test_without_requirements_it_says_what_is_missing(checkout: Checkout) -> None:
    (checkout.root / "requirements.txt").unlink()
    code, out, err = checkout.run()
    assert (code, out) == (1, "")
    assert len(err.splitlines()) == 1
    assert "requirements.txt is missing" in err


def test_an_old_python_is_told_so_in_one_line(tmp_path: Path) -> None:
    # An interpreter of this age is on few machines: this one says that it is 3.9.
    pretend = "import sys, runpy; sys.version_info = (3, 9, 18); sys.version = '3.9.18 (main)'"
    program = f"{pretend}; runpy.run_path({str(LAUNCHER)!r}, run_name='__main__')"
    for path, mend in ((tmp_path, "install python3.11 or newer"), (tmp_path / "bin", f"run `python3.12 {LAUNCHER}`")):
        path.mkdir(exist_ok=True)
        if path.name == "bin":
            (path / "python3.12").write_text("#!/bin/sh\n", encoding="utf-8")
            (path / "python3.12").chmod(0o755)
        environment = {**os.environ, "PATH": str(path)}
        answer = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
        )
        assert (answer.returncode, answer.stdout) == (1, "")
        assert answer.stderr == f"freehold: {sys.executable} is Python 3.9.18, 3.11 or newer is needed; {mend}\n"


def test_old_pythons_can_read_it() -> None:
    # A syntax error would be all that they say. The version is asked before anything but `sys` is imported.
    tree = ast.parse(LAUNCHER.read_text(encoding="utf-8"), feature_version=(3, 7))
    first, second = [node for node in tree.body if not isinstance(node, ast.Expr)][:2]
    assert isinstance(first, ast.Import) and [name.name for name in first.names] == ["sys"]
    assert isinstance(second, ast.If) and ast.unparse(second.test) == "sys.version_info < (3, 11)"


def test_no_installed_package_has_the_name_of_one_of_ours() -> None:
    # The checkout comes behind site-packages on sys.path.
    ours = {path.parent.name for path in CHECKOUT.glob("*/__init__.py")} | {path.stem for path in CHECKOUT.glob("*.py")}
    assert {"cli", "sandbox", "errors"} <= ours
    assert not (ours | {"tests", "benchmarks"}) & set(packages_distributions())


def test_the_lock_pins_hashes_and_names_no_address() -> None:
    for lock in (CHECKOUT / "requirements.txt", CHECKOUT / "sandbox" / "toolchain" / "go" / "requirements.txt"):
        text = lock.read_text(encoding="utf-8")
        assert "://" not in text and "--index" not in text and "--find-links" not in text
        pinned = text.replace("\\\n", " ").splitlines()
        assert pinned and all("==" in line and "--hash=sha256:" in line for line in pinned)


def test_the_lock_holds_every_dependency_of_the_project() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    names = {re.split(r"[^A-Za-z0-9._-]", entry)[0].lower().replace("_", "-") for entry in asked}
    lock = (CHECKOUT / "requirements.txt").read_text(encoding="utf-8")
    pinned = {name.lower() for name in re.findall(r"^([A-Za-z0-9._-]+)(?:\[\S+\])?==", lock, re.MULTILINE)}
    assert names - pinned == set()
