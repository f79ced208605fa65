"""Which providers a sandbox's engine runs: our stand-ins, or the official plugins (FREEHOLD_PROVIDERS)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from errors import UsageError
from sandbox.files import damaged, unreadable, write_atomically
from sandbox.home import Home

VARIABLE = "FREEHOLD_PROVIDERS"


class Providers(StrEnum):
    """What answers for `aws`, `kubernetes`, `postgresql` and `random`."""

    STAND_INS = "stand-ins"
    OFFICIAL = "official"


def chosen(environment: Mapping[str, str] | None = None) -> Providers | None:
    """FREEHOLD_PROVIDERS of `environment` (default `os.environ`), None where it is not set. Raises UsageError for
    another value."""
    value = (os.environ if environment is None else environment).get(VARIABLE, "")
    if not value:
        return None
    try:
        return Providers(value)
    except ValueError:
        mend = f"set it to {' or '.join(Providers)}, or unset it"
        raise UsageError(f"unknown value {value!r}", where=VARIABLE, mend=mend) from None


def in_use(home: Home) -> Providers:
    """What the sandbox at `home` was last started with."""
    try:
        return Providers(_mark(home).read_text().strip())
    except FileNotFoundError:
        return Providers.STAND_INS
    except OSError as error:
        raise unreadable(_mark(home), error) from None
    except ValueError:
        raise damaged(_mark(home)) from None


def keep(home: Home, providers: Providers) -> None:
    """Note what is in use, for commands and the runner, which have another environment than the one that started it."""
    if in_use(home) is not providers:
        write_atomically(_mark(home), f"{providers}\n".encode(), 0o600)


def require_unchanged(home: Home, environment: Mapping[str, str] | None = None) -> None:
    """Raises UsageError where others are asked for than those that the running sandbox has: engines may be at work."""
    wanted, present = chosen(environment), in_use(home)
    if wanted is not None and wanted is not present:
        what = f"the sandbox runs with {VARIABLE}={present}, not {wanted}"
        raise UsageError(what, where=str(home.root), mend="./freehold sandbox stop, then start it again")


def _mark(home: Home) -> Path:
    return home.data / "providers"
