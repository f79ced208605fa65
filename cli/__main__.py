"""`python -m cli`: the `freehold` command."""

from __future__ import annotations

import sys

import typer

from cli.doctor import doctor
from cli.sandbox import app as sandbox
from cli.test import EXTRA_ARGUMENTS, test
from errors import FreeholdError

app = typer.Typer(name="freehold", no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
app.command()(doctor)
app.add_typer(sandbox)
app.command(context_settings=EXTRA_ARGUMENTS)(test)


def main() -> None:
    """Run the command; a failure that a person is meant to read is one line."""
    try:
        app(prog_name="freehold")
    except FreeholdError as error:
        print(f"freehold: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
