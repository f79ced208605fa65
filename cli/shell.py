"""`freehold env`: the variables that a shell needs to work on real environments with the ordinary tools."""

from __future__ import annotations

import os
import shlex

import typer

_PRINTED = ("PATH", "PGSSLROOTCERT")


def env() -> None:
    """Print `export` lines for work on real environments (PATH, PGSSLROOTCERT, no secret): eval "$(./freehold env)"."""
    from fleet.environments import known, real, require_real_shell
    from sandbox.home import Home
    from sandbox.toolchain import ensure

    home = Home.from_environment()
    require_real_shell(home)
    ensure(("pulumi", "pulumi-language-python"))
    engine = real(known()[0], home).engine  # these variables are the same for all
    for name in _PRINTED:
        if value := engine.get(name):
            unique = os.pathsep.join(dict.fromkeys(value.split(os.pathsep))) if name == "PATH" else value
            typer.echo(f"export {name}={shlex.quote(unique)}")
