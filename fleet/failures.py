"""A failed run of the engine as one line for a person: what, where and the mend."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from errors import FreeholdError, TransientError
from fleet.events import Progress

# What the engine and the operating system say, what it means here, and the mend. The first match wins.
_KNOWN: Sequence[tuple[re.Pattern[str], str, str]] = (
    (
        re.compile(r"no space left on device", re.IGNORECASE),
        "no space left on the disk that holds the state",
        "free some space and run it again: it goes on from there",
    ),
    (
        re.compile(r"incorrect passphrase", re.IGNORECASE),
        "wrong passphrase",
        "set PULUMI_CONFIG_PASSPHRASE to the one that the stack was made with",
    ),
    (
        re.compile(r"passphrase must be set", re.IGNORECASE),
        "no passphrase",
        "set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE",
    ),
    (
        re.compile(r"the stack is currently locked by (.+)"),
        "locked by another run of pulumi",
        "let it finish; if none runs: pulumi cancel --stack {stack}",
    ),
    (
        re.compile(r"provider host is not running|sandbox is not running", re.IGNORECASE),
        "the sandbox is not running",
        "./freehold sandbox start",
    ),
)

# What passes by itself: a service that is busy, that restarts, that asks for patience.
_TRANSIENT = re.compile(
    r"Throttl|RequestLimitExceeded|TooManyRequests|too many requests|Rate exceeded|SlowDown|PriorRequestNotComplete"
    r"|ServiceUnavailable|InternalFailure|InternalServerError|\b50[234]\b|currently unable to handle the request"
    r"|OperationAborted|ConcurrentModification|OperationInProgress|the object has been modified"
    r"|connection (was )?(refused|reset|closed|lost)|could not connect|cannot connect|broken pipe|i/o timeout"
    r"|TLS handshake timeout|timed? ?out|deadline exceeded|no such host|temporary failure in name resolution"
    r"|code = Unavailable|transport is closing|error reading from server|unexpected EOF|plugin exited|signal: killed"
    r"|EndpointConnectionError|Max retries exceeded|Remote end closed|etcdserver|leader changed"
    r"|the database system is (starting up|shutting down|in recovery)|too many (clients|connections)|deadlock detected"
    r"|server closed the connection|terminating connection|could not serialize|tuple concurrently"
    r"|locked by|provider host is not running|sandbox is not running",
    re.IGNORECASE,
)

# A provider that died: whatever else went wrong follows from it. What it was creating is sent again by the next try.
_CRASHED = re.compile(r"exited prematurely|error reading from server: EOF")

# What the engine appends to the error that matters.
_ECHO = re.compile(r"^(update failed|preview failed|refresh failed|destroy failed|resource monitor shut down.*)$")
_PREFIX = re.compile(r"^(error:|pulumi:|failed to \w+ resource:|\d+ errors? occurred:|[*\-•])\s*", re.IGNORECASE)


def explain(stack: str, command: str, progress: Progress, output: str, log: Path) -> FreeholdError:
    """Why `pulumi <command>` of `stack` failed, from its events and from its output (stdout and stderr).

    A TransientError where all that went wrong may pass by itself.
    """
    where = f"stack {stack}"
    for pattern, what, mend in _KNOWN:
        if pattern.search(output) or any(pattern.search(text) for _, text in progress.errors):
            passes = _TRANSIENT.search(what) is not None
            return (TransientError if passes else FreeholdError)(what, where=where, mend=mend.format(stack=stack))
    if broken := [violation for violation in progress.violations if violation.mandatory]:
        return _refused(where, broken[0].policy, broken[0].resource, _gist(broken[0].message), len(broken))
    if errors := [(name, text) for name, text in progress.errors if not _ECHO.match(text)]:
        name, text = errors[0]
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        named = f"{where}, {name}" if name and name != f"freehold-{stack}" else where
        passes = all(_TRANSIENT.search(text) for _, text in errors) or any(_CRASHED.search(text) for _, text in errors)
        return (TransientError if passes else FreeholdError)(_gist(text) + more, where=named, mend=f"see {log}")
    lines = [line for line in output.splitlines() if line.startswith("error:")] or output.splitlines()
    said = _gist(lines[0]) if lines else "it said nothing"
    passes = _TRANSIENT.search(output) is not None
    what = f"pulumi {command} failed: {said}"
    return (TransientError if passes else FreeholdError)(what, where=where, mend=f"see {log}")


def _refused(where: str, policy: str, resource: str, message: str, count: int) -> FreeholdError:
    more = f" (and {count - 1} more)" if count > 1 else ""
    about = f"{resource} breaks" if resource else "it breaks"
    return FreeholdError(
        f"refused by policy, nothing was made: {about} {policy}: {message}{more}",
        where=where,
        mend=f"mend the configuration or the component; policies/ says what {policy} wants",
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
