"""What is asked wrongly is one line on standard error and exit code 2; nothing is started for it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.home import CHECKOUT
from tests.cli.forked_command import ForkedCommand, forked_command


def shell(home: Path, **environment: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PULUMI_"))}
    return {**inherited, "FREEHOLD_HOME": str(home), **environment}


@pytest.fixture(scope="module")
def command() -> Iterator[ForkedCommand]:
    with forked_command() as made:
        yield made


def freehold(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        cwd=CHECKOUT,
        env=shell(home, **environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("up", "atlantis"), "freehold: there is no environment 'atlantis'; choose one of dev, prod, sandbox, staging"),
        (("up", "../sandbox"), "freehold: there is no environment '../sandbox'; choose one of "),
        (("up", "prod"), "freehold: say where to build prod; --target sandbox rehearses it here, --target cloud uses"),
        (("up", "--target", "cloud"), "freehold: sandbox is only ever rehearsed; choose dev, staging or prod"),
        (("up", "--cloud", "gcp"), "'gcp' is not one of 'aws'"),
        (("preview", "atlantis"), "freehold: there is no environment 'atlantis'; "),
        (("up", ""), "freehold: the environment's name is empty; choose one of dev, prod, sandbox, staging"),
        (("destroy", "", "--yes"), "freehold: the environment's name is empty; choose one of "),
        (("tenant", "list", "--env", ""), "freehold: the environment's name is empty; "),
        (("tenant", "create", "acme", "--plan", "pro", "--cell", ""), "freehold: the environment's name is empty; "),
        (
            ("tenant", "create", "acme", "--plan", "pro", "--env", "", "--cell", "sandbox"),
            "freehold: the environment's name is empty; ",
        ),
        (
            ("tenant", "create", "acme", "--plan", "pro", "--env", "prod", "--cell", "dev", "--target", "cloud"),
            "freehold: dev is no cell of prod; leave --env or --cell out",
        ),
        (
            ("tenant", "create", "acme", "--plan", "pro", "--env", "atlantis", "--cell", "sandbox"),
            "freehold: there is no environment 'atlantis'; choose one of ",
        ),
        (("status", "atlantis"), "freehold: there is no environment 'atlantis'; "),
        (
            ("destroy", "sandbox"),
            "freehold: Delete the platform of sandbox (sandbox) with all its data? Nobody is there",
        ),
        (("tenant", "create", "Acme", "--plan", "pro"), "freehold: tenant id 'Acme' is not a DNS label"),
        (("tenant", "create", "a--b", "--plan", "pro"), "freehold: tenant id 'a--b' holds `--`"),
        (("tenant", "create", "a" * 41, "--plan", "pro"), "has 41 characters, at most 40 are allowed"),
        (("tenant", "create", "-acme", "--plan", "pro"), "No such option: -a"),
        (("tenant", "show", "a.b"), "freehold: tenant id 'a.b' is not a DNS label"),
        (("tenant", "plan", "a_b", "pro"), "freehold: tenant id 'a_b' is not a DNS label"),
        (
            ("tenant", "delete", "acme", "--yes-delete-data", "acme-eu"),
            "freehold: --yes-delete-data says 'acme-eu', not",
        ),
        (
            ("tenant", "create", "acme", "--plan", "pro", "--name", "a\nb"),
            r"freehold: --name: 'a\nb' holds '\n', which breaks what shows it; leave control characters and ",
        ),
        (("tenant", "create", "acme", "--plan", "pro", "--email", "a\x1b@b.example"), r"freehold: --email: 'a\x1b@b"),
        (("tenant", "create", "acme", "--plan", "pro", "--name", "\udcff"), r"freehold: --name: '\udcff' holds '\udc"),
        (("tenant", "create", "acme", "--plan", "p\nro"), r"freehold: --plan: 'p\nro' holds "),
        (("tenant", "create", "acme", "--plan", "pro", "--idempotency-key", "a\nb"), "freehold: --idempotency-key: "),
        (("tenant", "plan", "acme", "pro", "--idempotency-key", ""), "freehold: --idempotency-key: it is empty; leave"),
        (("tenant", "suspend", "acme", "--idempotency-key", "k" * 201), "freehold: --idempotency-key: it has 201 char"),
        (
            ("tenant", "create", "acme", "--plan", "pro", "--name", "--yes"),
            "freehold: --name: --yes looks like an option, not like its value; give it one, or leave it out",
        ),
        (("tenant", "suspend", "acme", "--idempotency-key", "--yes"), "freehold: --idempotency-key: --yes looks like "),
        (("tenant", "delete", "acme"), "Missing option '--yes-delete-data'"),
        (("up", "--wait", "soon"), "Invalid value for '--wait': "),
        (("launch",), "No such command 'launch'"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, tuple) else "",
)
def test_asked_wrongly(command: ForkedCommand, tmp_path: Path, arguments: tuple[str, ...], expected: str) -> None:
    run = command.run(*arguments, environment=shell(tmp_path / "home"))
    assert run.returncode == 2, run.stderr
    assert expected in run.stderr
    assert "Traceback" not in run.stderr
    if run.stderr.startswith("Usage: "):  # Typer's own: what was wrong stands alone in a frame below
        assert run.stderr.count("│") <= 4
    else:
        assert run.stderr.count("\n") == 1
    assert run.stdout == ""
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("arguments", [("status",), ("tenant", "list"), ("tenant", "show", "acme"), ("sandbox", "env")])
def test_what_needs_a_sandbox_says_so(command: ForkedCommand, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    run = command.run(*arguments, environment=shell(tmp_path / "home"))
    assert run.returncode == 1
    assert run.stderr.startswith(f"freehold: {tmp_path}/home: ")
    assert run.stderr.endswith("; ./freehold sandbox start\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("up",),
        ("up", "prod", "--target", "cloud"),
        ("preview", "sandbox"),
        ("destroy", "sandbox", "--yes"),
        ("doctor",),
        ("sandbox", "start"),
        ("sandbox", "env"),
        ("sandbox", "caught"),
    ],
    ids=" ".join,
)
def test_a_home_that_cannot_be_one_is_one_line(command: ForkedCommand, arguments: tuple[str, ...]) -> None:
    run = command.run(*arguments, environment=shell(Path("/dev/null/home")))
    assert run.returncode == 1, run.stderr
    (line,) = run.stderr.splitlines()
    assert re.fullmatch(
        r"freehold: /dev/null/home\S*: cannot (read|write): Not a directory; .*set FREEHOLD_HOME to .*", line
    )


@pytest.mark.parametrize(
    "arguments",
    [("sandbox", "reset", "--yes"), ("sandbox", "stop"), ("sandbox", "env"), ("status",), ("doctor",)],
    ids=" ".join,
)
@pytest.mark.parametrize(
    ("home", "expected"),
    [
        (f"/tmp/{'a' * 300}/home", "/home: cannot read: File name too long; "),
        ("~nobody-of-this-name/home", "FREEHOLD_HOME=~nobody-of-this-name/home: Could not determine home directory; "),
        ("/tmp/a:b", "FREEHOLD_HOME='/tmp/a:b': holds a colon, or a letter that cannot be printed; "),
        ("/tmp/a\nb", r"FREEHOLD_HOME='/tmp/a\nb': holds a colon, or a letter that cannot be printed; "),
        ("/tmp/a\udcff", r"FREEHOLD_HOME='/tmp/a\udcff': holds a colon, or a letter that cannot be printed; "),
    ],
    ids=["long", "unknown user", "colon", "newline", "no UTF-8"],
)
def test_a_home_that_no_folder_can_be_is_one_line(
    command: ForkedCommand, arguments: tuple[str, ...], home: str, expected: str
) -> None:
    run = command.run(*arguments, environment={**shell(Path("/dev/null")), "FREEHOLD_HOME": home})
    assert run.returncode == 1, run.stderr
    (line,) = run.stderr.splitlines()
    assert expected in line
    assert "set FREEHOLD_HOME to another folder" in line


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "PULUMI_HOME"])
def test_a_shell_of_the_sandbox_never_reaches_the_cloud(command: ForkedCommand, tmp_path: Path, variable: str) -> None:
    value = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "PULUMI_HOME": str(tmp_path / "home/pulumi")}[variable]
    # With the tools said to be there: looking for them is not what this is about.
    line = ("preview", "prod", "--target", "cloud")
    run = command.run(*line, environment=shell(tmp_path / "home", **{variable: value}))
    assert run.returncode == 2, run.stderr
    assert run.stderr.count("\n") == 1
    assert variable in run.stderr


def test_no_color(tmp_path: Path) -> None:
    def said(*arguments: str, **environment: str) -> str:
        run = freehold(tmp_path / "home", "up", *arguments, "--wait", "soon", FORCE_COLOR="1", **environment)
        assert "'--wait'" in re.sub(r"\x1b\[[\d;]*m", "", run.stderr)
        return run.stderr

    # What is told by Typer: our own lines have none. Bold letters may stay (https://no-color.org).
    colour = re.compile(r"\x1b\[(\d;)*3\dm")
    assert colour.search(said())
    assert not colour.search(said("--no-color"))
    assert not colour.search(said(NO_COLOR="1"))
