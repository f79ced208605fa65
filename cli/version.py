"""`freehold --version`: the release, and what it brings along, as a person notes it before an upgrade."""

from __future__ import annotations

import os
import subprocess

import typer

from sandbox.home import CHECKOUT


def version(wanted: bool) -> None:
    """Print it where it is asked for, and end the command."""
    if not wanted:
        return
    # Only here: the schema's revision lies beside what migrates it.
    from fleet.migrations import HEAD
    from sandbox.toolchain.tools import TOOLS

    for name, value in (("freehold", release()), ("schema", HEAD), ("engine", TOOLS["pulumi"].version)):
        typer.echo(f"{name} {value}")
    raise typer.Exit


def release() -> str:
    """What git calls it, `-dirty` where a file differs from the commit; else the version in pyproject.toml."""
    if (CHECKOUT / ".git").exists():
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        try:
            described = subprocess.run(
                ["git", "describe", "--always", "--dirty"],
                cwd=CHECKOUT,
                env={**environment, "GIT_OPTIONAL_LOCKS": "0"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
            )
        except OSError:
            described = None
        if described is not None and described.returncode == 0:
            return described.stdout.strip()
    import tomllib

    stated: str = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return stated
