"""The `freehold` command: its sub-commands, and what it does with errors.

Command modules import what is heavy only when they run, so that `--help` answers at once.
"""

from __future__ import annotations

import errno
import io
import sys
from typing import Annotated

import typer

from cli import budget, fleet, platform, sandbox, tenant
from cli.doctor import doctor
from cli.shell import env
from cli.status import status
from cli.test import EXTRA_ARGUMENTS, test
from cli.up import up
from cli.version import version as told
from errors import INTERRUPTED, ExitCode, FreeholdError

_INTERRUPTED = 130
"""What Typer exits with after Ctrl-C, without a word."""

app = typer.Typer(
    name="freehold",
    help="Infrastructure of a company that sells software: environments, tenants, policies; rehearsed on one machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def freehold(
    version: Annotated[
        bool, typer.Option("--version", callback=told, is_eager=True, help="Print release, schema and engine.")
    ] = False,
) -> None:
    pass  # what it says is said by `help` above


app.command()(up)
app.command()(platform.preview)
app.command()(platform.refresh)
app.command()(platform.destroy)
app.command()(status)
app.add_typer(tenant.app)
app.add_typer(budget.app)
app.add_typer(fleet.app)
app.add_typer(sandbox.app)
app.command()(doctor)
app.command()(env)
app.command(context_settings=EXTRA_ARGUMENTS)(test)


def main() -> None:
    """Run the command. What a person is meant to read is one line; what is a defect of ours is a traceback."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A tenant's name is of any script, and the terminal's letters may not have it: as standard error does it.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="freehold")
    except FreeholdError as error:
        print(f"freehold: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, SystemExit) as ended:
        if isinstance(ended, SystemExit) and ended.code != _INTERRUPTED:
            raise
        print(INTERRUPTED, file=sys.stderr)
        sys.exit(ExitCode.FAILED)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone
        sys.exit(ExitCode.FAILED)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        where = error.filename or "standard output"
        print(f"freehold: {where}: cannot write: {error.strerror}; free some space", file=sys.stderr)
        sys.exit(ExitCode.FAILED)
