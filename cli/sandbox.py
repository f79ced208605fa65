"""`freehold sandbox`: the local cloud, started, stopped, looked at and forgotten."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cli.options import agreed
from cli.output import show_table
from errors import ExitCode, UsageError
from fleet.counting import counted
from sandbox.files import unreadable, unwritable
from sandbox.home import Home

if TYPE_CHECKING:
    from sandbox.supervisor.messages import Status

app = typer.Typer(
    name="sandbox", no_args_is_help=True, help="Start, stop, look at and forget the sandbox, the cloud on this machine."
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

# What the sandbox makes below FREEHOLD_HOME; anything else that lies there is left alone by `reset`.
_MADE = (
    "run",
    "logs",
    "data",
    "certificates",
    "credentials",
    "bin",
    "pulumi",
    "backend",
    "tenants",
    "rehearsals",
    "kube-cache",
    "kubeconfig",
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@app.command()
def start(as_json: AsJson = False) -> None:
    """Start the sandbox and wait until it is ready; a second start says that it runs."""
    from sandbox.providers.choice import chosen
    from sandbox.supervisor.launch import start as launch
    from sandbox.toolchain import ensure

    chosen()  # a wrong value is told before anything else happens
    ensure()
    home = Home.from_environment()
    began = time.monotonic()
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        transient=True,
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    ) as bar:
        task = bar.add_task("starting the sandbox")

        def show(status: Status) -> None:
            waited_for = [process.name for process in status.processes if process.state != "ready"]
            bar.update(task, description=f"starting: {', '.join(waited_for[:4])}" if waited_for else "starting")

        supervisor, started = launch(home, progress=show)
    seconds = round(time.monotonic() - began, 1)
    if as_json:
        _print_status(supervisor.status(), as_json=True)
    elif started:
        typer.echo(f"sandbox is ready ({seconds} s) at {home.root}")
        typer.echo('eval "$(./freehold sandbox env)" lets pulumi, kubectl, aws, psql and redis-cli work with it')
    else:
        typer.echo(f"sandbox is running already at {home.root}")


@app.command()
def stop() -> None:
    """Stop every process of the sandbox; its data stays."""
    from sandbox.supervisor.client import NotRunning, Supervisor

    home = Home.from_environment()
    _end_engines(home)
    try:
        Supervisor.connect(home).stop()
    except NotRunning:
        if ended := _end_leftovers(home):
            left = counted(ended, "process", "processes")
            typer.echo(f"the supervisor had died; ended {left} that it left at {home.root}; its data stays")
        else:
            typer.echo(f"sandbox is not running at {home.root}")
        return
    _end_engines(home)  # of a runner that did not stop in time
    typer.echo(f"sandbox is stopped; its data stays at {home.root}")


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show every process. Exits 1 where the sandbox does not run or something in it failed."""
    from sandbox.supervisor.client import Supervisor

    found = Supervisor.connect(Home.from_environment()).status()
    _print_status(found, as_json=as_json)
    if found.state != "ready":
        raise typer.Exit(ExitCode.FAILED)


@app.command()
def env() -> None:
    """Print `export NAME=value` lines: eval "$(./freehold sandbox env)"."""
    from sandbox.environment import environment

    for name, value in environment(Home.from_environment()).items():
        assert _NAME.fullmatch(name)
        typer.echo(f"export {name}={shlex.quote(value)}")


@app.command()
def caught(as_json: AsJson = False) -> None:
    """Show what the sandbox's sinks (webhook, Slack, mail) were sent, oldest first."""
    from sandbox.processes.catcher.caught import read

    found = read(Home.from_environment())
    if as_json:
        typer.echo(json.dumps([one.model_dump() for one in found], indent=2))
        return
    for one in found:
        typer.echo(f"{one.at}  {one.sink:8}{one.summary}")
    if not found:
        typer.echo("nothing yet: ./freehold budget simulate --spend 96%")


@app.command()
def reset(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Stop the sandbox and delete all that it keeps, the state of its stacks included."""
    from sandbox.supervisor.client import NotRunning, Supervisor

    home = Home.from_environment()
    try:
        there = [path for path in (home.root / name for name in _MADE) if path.exists()]
    except OSError as error:
        raise unreadable(home.root, error) from None
    if not there:
        typer.echo(f"nothing to delete at {home.root}")
        return
    typer.echo(f"This stops the sandbox and deletes, below {home.root}:")
    for path in there:
        typer.echo(f"  {path.name}{'/' if path.is_dir() else ''}  {_size(path)}")
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("reset needs a confirmation", mend="add --yes")
        if not agreed("Delete all of it?"):
            raise typer.Exit(ExitCode.FAILED)
    _end_engines(home)
    try:
        Supervisor.connect(home).stop()
    except NotRunning:
        _end_leftovers(home)
    for path in there:
        _delete(path)
    if (sockets := home.socket("supervisor").parent) != home.run:
        _delete(sockets)
    with suppress(OSError):  # what holds something else stays
        home.root.rmdir()
    typer.echo("sandbox is reset")


def _delete(path: Path) -> None:
    """With all in it; what a link leads to stays."""
    try:
        while path.is_dir() and not path.is_symlink():
            with suppress(FileNotFoundError):  # another `reset` is at it too
                shutil.rmtree(path)
        path.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(path, error) from None


def _end_engines(home: Home) -> None:
    """Of a command that was killed. One whose command lives is left to it: stopping under it is refused. A runner's are
    its own: it is told to stop, and hands back what it has in hand."""
    from fleet.engine_runs import end_orphans, require_idle
    from sandbox.processes.runner import KIND
    from sandbox.supervisor.client import NotRunning, Supervisor

    try:
        runners = {one.pid for one in Supervisor.connect(home).status().processes if one.kind == KIND and one.pid}
    except NotRunning:
        runners = set()
    require_idle(home, but=runners)
    end_orphans(home, typer.echo)


def _end_leftovers(home: Home) -> int:
    """Of a supervisor that was killed; how many processes lived. Their data must not be deleted under them."""
    from sandbox.supervisor import pidfile

    identities = [identity for file in home.run.glob("*.pid") if (identity := pidfile.read(file)) is not None]
    return sum(identity.end(grace_seconds=10) for identity in identities)


def _print_status(found: Status, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found.model_dump(mode="json"), indent=2))
        return
    rows = [
        (
            one.name,
            one.state,
            str(one.pid or ""),
            str(one.port or ""),
            f"{one.memory_bytes / 2**20:.0f} MiB" if one.memory_bytes else "",
            str(one.restarts or ""),
            f"{one.started_seconds:.1f} s" if one.started_seconds is not None else "",
            one.message,
        )
        for one in found.processes
    ]
    show_table(("process", "state", "pid", "port", "memory", "restarts", "ready after", ""), rows)
    where = f"at {found.home}, AWS at {found.aws_endpoint}, providers: {found.providers}"
    typer.echo(f"sandbox is {found.state} {where}{f': {found.failure}' if found.failure else ''}")


def _size(path: Path) -> str:
    try:
        there = [path] if path.is_file() else list(path.rglob("*"))
        files = [file for file in there if file.is_file() and not file.is_symlink()]
    except FileNotFoundError:
        return "0.0 MiB"  # another `reset` has deleted it
    except OSError as error:
        raise unreadable(path, error) from None
    mebibytes = sum(_bytes(file) for file in files) / 2**20
    return f"{mebibytes:.1f} MiB"


def _bytes(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0  # servers that still run come and go with their files
