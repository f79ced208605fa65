"""A failed run of the engine as one line for a person: what, where and the mend."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from errors import FreeholdError, TransientError
from fleet.events import Progress, Violation


def _says(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


@dataclass(frozen=True)
class _Known:
    """What the engine or the operating system says, what it means here, and the mend."""

    said: re.Pattern[str]
    what: str
    mend: str
    passes: bool = False
    """Whether it may pass by itself."""


_KNOWN = (  # the first match wins
    _Known(
        # But not in the words of a Postgres, whose disk it then is.
        _says(r"(?m)^(?!.*could not \w+ .*file).*no space left on device"),
        "no space left on the disk that holds the state",
        "free some space and run it again: it goes on from there",
    ),
    _Known(
        _says(r"incorrect passphrase"),
        "wrong passphrase",
        "set PULUMI_CONFIG_PASSPHRASE to the one that the stack was made with",
    ),
    _Known(
        _says(r"passphrase must be set"),
        "no passphrase",
        "set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE",
    ),
    # Logged in to nothing, the CLI takes Pulumi's own service for the backend, and asks for its token.
    _Known(
        _says(r"PULUMI_ACCESS_TOKEN must be set for login"),
        "no backend is logged in to",
        "pulumi login s3://<bucket>?region=<region> (docs/deploy.md), or set PULUMI_BACKEND_URL",
    ),
    _Known(
        _says(r"the stack is currently locked by .+"),
        "locked by another run of pulumi",
        "let it finish; if none runs: pulumi cancel --stack {stack}",
        passes=True,
    ),
    # As sandbox/providers/plugin.py, sandbox/supervisor/client.py and, while it stops, its server say it.
    _Known(
        _says(r"sandbox's providers are not running|sandbox is not running|sandbox: is stopping"),
        "the sandbox's providers are not running",
        "./freehold sandbox status says why; ./freehold sandbox start",
        passes=True,
    ),
    _Known(
        _says(r"sandbox's providers are of another release"),
        "the sandbox is of another release",
        "./freehold sandbox stop, then ./freehold sandbox start",
        passes=True,
    ),
    _Known(
        _says(r"sandbox's providers (have stopped|closed the connection)"),
        "the sandbox's providers stopped during the run",
        "run it again: it goes on from there",
        passes=True,
    ),
)


@dataclass(frozen=True)
class _Passing:
    """What may pass by itself."""

    said: re.Pattern[str]
    decides: bool = False
    """Whether whatever else went wrong follows from it."""


_PASSING = (  # the first match wins
    # A provider died. What it was creating is sent again by the next try.
    _Passing(_says(r"exited prematurely|error reading from server: EOF"), decides=True),
    _Passing(_says(r"plugin exited|signal: killed|code = Unavailable|transport is closing|error reading from server")),
    # A service asks for patience.
    _Passing(_says(r"Throttl|RequestLimitExceeded|TooManyRequests|too many requests|Rate exceeded|SlowDown")),
    # A service is ill, or restarts.
    _Passing(_says(r"ServiceUnavailable|InternalFailure|InternalServerError|\b50[234]\b|etcdserver|leader changed")),
    _Passing(_says(r"currently unable to handle the request")),
    # Another change is under way.
    _Passing(_says(r"OperationAborted|ConcurrentModification|OperationInProgress|PriorRequestNotComplete|locked by")),
    _Passing(_says(r"the object has been modified")),
    # ElastiCache takes one change of a user or a user group at a time, and a cell's tenants share a group.
    _Passing(_says(r"InvalidUserState|InvalidUserGroupState|Only active users")),
    # The way to a service is broken.
    _Passing(_says(r"connection (was )?(refused|reset|closed|lost)|could not connect|cannot connect|broken pipe")),
    # The engine's client for KMS at times hangs up on a quick answer: https://github.com/aws/aws-sdk-go-v2/issues/1825
    _Passing(_says(r"use of closed network connection")),
    _Passing(_says(r"timed? ?out|i/o timeout|TLS handshake timeout|deadline exceeded|unexpected EOF")),
    _Passing(_says(r"no such host|temporary failure in name resolution")),
    _Passing(_says(r"EndpointConnectionError|Max retries exceeded|Remote end closed")),
    # A database restarts, is full, or gave one of two transactions up.
    _Passing(_says(r"the database system is (starting up|shutting down|in recovery)|too many (clients|connections)")),
    _Passing(_says(r"server closed the connection|terminating connection")),
    _Passing(_says(r"deadlock detected|could not serialize|tuple concurrently")),
)

# What the engine appends to the error that matters.
_ECHO = re.compile(r"^(update failed|preview failed|refresh failed|destroy failed|resource monitor shut down.*)$")
_PREFIX = re.compile(r"^(error:|pulumi:|failed to \w+ resource:|\d+ errors? occurred:|[*\-•])\s*", re.IGNORECASE)


def explain(stack: str, command: str, progress: Progress, output: str, log: Path | str) -> FreeholdError:
    """Why `pulumi <command>` of `stack` failed, from its events and from its output (stdout and stderr). `log` says
    more.

    A TransientError where all that went wrong may pass by itself.
    """
    where = f"stack {stack}"
    for known in _KNOWN:
        if known.said.search(output) or any(known.said.search(text) for _, text in progress.errors):
            return _error(known.passes, known.what, where, known.mend.format(stack=stack))
    if broken := [violation for violation in progress.violations if violation.mandatory]:
        return _refused(stack, broken, progress.changing)
    if errors := [(name, text) for name, text in progress.errors if not _ECHO.match(text)]:
        name, text = errors[0]
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        named = f"{where}, {name}" if name and name != f"freehold-{stack}" else where
        return _error(_may_pass([text for _, text in errors]), _gist(text) + more, named, f"see {log}")
    lines = [line for line in output.splitlines() if line.startswith("error:")] or output.splitlines()
    said = _gist(lines[0]) if lines else "it said nothing"
    return _error(_may_pass([output]), f"pulumi {command} failed: {said}", where, f"see {log}")


def _error(passes: bool, what: str, where: str, mend: str) -> FreeholdError:
    return (TransientError if passes else FreeholdError)(what, where=where, mend=mend)


def _may_pass(texts: Sequence[str]) -> bool:
    """Whether all of it may pass by itself, or one decides that does."""
    found = [next((one for one in _PASSING if one.said.search(text)), None) for text in texts]
    return all(found) or any(one is not None and one.decides for one in found)


def _refused(stack: str, broken: Sequence[Violation], changing: bool) -> FreeholdError:
    """What a preview could not know is judged in the update, when something may have been made already."""
    first = broken[0]
    more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
    about = f"{first.resource} breaks" if first.resource else "it breaks"
    made = "amid the update, what was made by then stays" if changing else "nothing was made"
    look = f", and run it again; pulumi stack --stack {stack} shows what there is" if changing else ""
    return FreeholdError(
        f"refused by policy, {made}: {about} {first.policy}: {_gist(first.message)}{more}",
        where=f"stack {stack}",
        mend=f"mend the configuration or the component (policies/ says what {first.policy} wants){look}",
    )


def _gist(text: str) -> str:
    """The line that says it: of a Python traceback the last one, else the first one that is not blank."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return "no reason was given"
    traceback = any(line.startswith("Traceback (most recent call last)") for line in lines)
    line = lines[-1] if traceback else next((line for line in lines if not line.endswith(":")), lines[0])
    if traceback:
        line = re.sub(r"^(\w+\.)*(\w+Error|\w+Exception|Exception): ", "", line)
    while shorter := _PREFIX.sub("", line, count=1):
        if shorter == line:
            break
        line = shorter
    return line
