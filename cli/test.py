"""`freehold test`: ruff, mypy --strict and pytest over the checkout."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import typer

from cli.memory_folder import memory_folder
from errors import ExitCode
from sandbox.home import CHECKOUT
from sandbox.toolchain import ensure
from sandbox.toolchain.cache import cache_root
from sandbox.toolchain.progress import spell

CHECKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("ruff check", ("ruff", "check", "--quiet", ".")),
    ("ruff format", ("ruff", "format", "--check", "--quiet", ".")),
)
"""What runs before mypy and pytest: a name, and the module to run with its arguments."""

# pytest's exit codes (pytest.ExitCode): 4 is a usage error, 5 that no test was selected.
_ASKED_WRONGLY = (4, 5)

EXTRA_ARGUMENTS = {"allow_extra_args": True, "ignore_unknown_options": True}
"""Context settings of the command: everything behind `test` is pytest's."""


def test(context: typer.Context) -> None:
    """Run ruff, mypy and pytest; with PYTEST ARGS (paths from the checkout) only pytest, with them."""
    raise typer.Exit(run_pytest(context.args) if context.args else run_all())


def run_all() -> ExitCode:
    """All checks, then all tests, whatever failed before; pytest's closing line comes last unless a check failed."""
    with _collecting(), _mypy_cache() as options:
        checks = (*CHECKS, ("mypy --strict", ("mypy", *options)))
        failed = [name for name, command in checks if not _check(name, command)]
    ensure()  # here, for what workers of pytest print is not seen
    code = run_pytest(_side_by_side())
    if failed:
        print(f"freehold test: failed: {', '.join(failed)}", file=sys.stderr, flush=True)
        return ExitCode.FAILED
    return code


def run_pytest(arguments: Sequence[str]) -> ExitCode:
    """pytest with `arguments`: OK, FAILED, or USAGE if they select nothing or are no arguments of pytest's."""
    with memory_folder() as folder:
        if folder is None:
            code = _run(("pytest", *arguments))
        else:
            # pytest's own folder would be a longer one, and with it the paths of the tests' sockets.
            base = f"--basetemp={folder / 'pytest'}"
            code = _run(("pytest", base, *arguments), {"TMPDIR": str(folder)})
            if code == 0:
                shutil.rmtree(folder, ignore_errors=True)
    if code in _ASKED_WRONGLY:
        return ExitCode.USAGE
    return ExitCode.OK if code == 0 else ExitCode.FAILED


@contextmanager
def _collecting() -> Iterator[None]:
    """Meanwhile, beside mypy, which takes one processor, the tests are collected: that compiles them and what they
    import, where each worker would compile all of it at once with the others. What is wrong there, pytest tells."""
    collect = ("pytest", "--collect-only", "--quiet", "-p", "no:cacheprovider")
    child = _start(collect, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        child.wait()


@contextmanager
def _mypy_cache() -> Iterator[Sequence[str]]:
    """mypy's arguments for one cache of all checkouts: the providers' SDKs are read once, not in each fresh clone.

    mypy takes from it only what it finds unchanged by its digest, wherever it lies. While another run has it, this one
    uses the checkout's own.
    """
    folder = cache_root().with_name("mypy")
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "a", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield ()
        else:
            yield ("--cache-dir", str(folder))


def _side_by_side() -> Sequence[str]:
    """pytest's arguments for workers, each with a sandbox of its own.

    One more than there are processors, for tests wait for engines and servers about a third of their time; two more
    were no faster. More than four would be more sandboxes than the suite has long files.
    """
    workers = min(4, (os.cpu_count() or 1) + 1)
    return ("-n", str(workers), "--dist", "loadfile", "--no-loadscope-reorder")


def _check(name: str, command: tuple[str, ...]) -> bool:
    began = time.monotonic()
    code = _run(command)
    print(f"{name}: {'ok' if code == 0 else 'failed'} ({spell(time.monotonic() - began)})", flush=True)
    return code == 0


def _run(command: Sequence[str], variables: Mapping[str, str] | None = None) -> int:
    """Run a module of the environment in the checkout. Ctrl-C reaches it too; what it then prints is waited for."""
    child = _start(command, variables)
    try:
        return child.wait()
    except KeyboardInterrupt:
        return child.wait()


def _start(
    command: Sequence[str],
    variables: Mapping[str, str] | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
) -> subprocess.Popen[bytes]:
    # The tests start hundreds of interpreters, each of which would compile the checkout anew, and hundreds of engines
    # and kubectls, which end before their memory is worth collecting.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"GOGC": os.environ.get("GOGC", "400"), **(variables or {})}
    line = [sys.executable, "-m", *command]
    return subprocess.Popen(line, cwd=CHECKOUT, env=environment, stdout=stdout, stderr=stderr)
