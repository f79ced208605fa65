"""Options and arguments that several commands share."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import is_dataclass
from typing import Annotated

import typer

from cli.output import no_color
from fleet.locks import WAIT_SECONDS
from fleet.targets import Cloud, Target

EnvironmentArgument = Annotated[
    str | None, typer.Argument(metavar="ENV", help="Environment or cell: a Pulumi.<ENV>.yaml. Default: sandbox.")
]
RequiredEnvironment = Annotated[
    str, typer.Argument(metavar="ENV", help="Environment or cell: a Pulumi.<ENV>.yaml, such as sandbox.")
]
EnvironmentOption = Annotated[
    str | None, typer.Option("--env", metavar="ENV", help="Environment that the tenant lives in. Default: sandbox.")
]
TargetOption = Annotated[
    Target | None,
    typer.Option(
        help="Where: `sandbox` rehearses it on this machine, `cloud` uses real credentials. "
        "Must be said for any ENV but sandbox."
    ),
]
CloudOption = Annotated[Cloud, typer.Option(help="Which cloud the environment is on: AWS alone is built.")]
WaitOption = Annotated[
    float,
    typer.Option("--wait", metavar="SECONDS", min=0, help="How long to wait for another run on the same stack."),
]
WAIT = WAIT_SECONDS
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document for a script.")]
NoColorOption = Annotated[
    bool, typer.Option("--no-color", callback=no_color, help="No colours (as with NO_COLOR set).")
]


def confirm(question: str, *, yes: bool) -> None:
    """Go on only if --yes was given or a person agrees. Raises UsageError where nobody can be asked."""
    import sys

    from errors import UsageError

    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{question} Nobody is there to agree", mend="pass --yes")
    if not agreed(question):
        raise typer.Exit(1)


def agreed(question: str) -> bool:
    """What the person at the terminal answers; where the input ends it is no.

    Asked on standard error, for standard output is what a script reads; Typer's own question writes to both.
    """
    import sys

    while True:
        print(f"{question} [y/N]: ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        answer = line.strip().lower()
        if answer in ("y", "yes"):
            return True
        if answer in ("", "n", "no"):
            if not line:
                print(file=sys.stderr)
            return False


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """`command` as Typer reads it: where it takes a dataclass of options, those options stand in its place. So what
    several commands take in the same way is declared once, and reaches each of them as one value."""
    spelt: list[inspect.Parameter] = []
    groups: dict[str, tuple[type, list[str]]] = {}
    for name, one in inspect.signature(command, eval_str=True).parameters.items():
        if isinstance(one.annotation, type) and is_dataclass(one.annotation):
            options = inspect.signature(one.annotation, eval_str=True).parameters
            groups[name] = (one.annotation, list(options))
            spelt += options.values()
        else:
            spelt.append(one)

    def spreading(**given: object) -> None:
        for name, (group, options) in groups.items():
            given[name] = group(**{option: given.pop(option) for option in options})
        command(**given)

    spreading.__name__, spreading.__doc__ = command.__name__, command.__doc__
    spreading.__signature__ = inspect.Signature(spelt)  # type: ignore[attr-defined]
    return spreading
