"""What a cell may be called, so that no two of them ever meet in the name of anything."""

from __future__ import annotations

import re
from typing import Final

from errors import UsageError

LIMIT: Final = 29
"""What the names of a cell's tenants begin with then holds all of the cell's name: a runner's rights go by it, and that
of Redis users is cut after 31 characters (`components.tenant_names`)."""
ENDINGS: Final = ("control", "monthly-alerts", "postgres", "secrets")
"""The keys of these parts have the cell's name and this as their alias, that of the cache has the cell's name alone. A
test finds them in what the program declares."""

_FORM = re.compile(r"[a-z]+(-[a-z0-9]+)*")
_ACCOUNT = re.compile(r"[0-9]{12}")


def check(cell: str) -> None:
    """Raises UsageError where the name of the cell, a platform's stack, may become the name of something of another."""
    if not _FORM.fullmatch(cell) or len(cell) > LIMIT:
        raise _refused(
            cell,
            f"a cell's name has lower-case letters, digits and single hyphens within, and at most {LIMIT} characters",
        )
    words = cell.split("-")
    if "t" in words:
        # What a runner may touch goes by the beginning of names, and of this cell's they would begin alike.
        raise _refused(
            cell, f"the part `t` stands between cell and tenant in names: {cell} looks like tenants of another cell"
        )
    for ending in ENDINGS:
        if cell.endswith(f"-{ending}"):
            raise _refused(cell, f"{cell} is what a part of {cell.removesuffix(f'-{ending}')} is called")
    # A bucket's name ends in its account and region.
    if any(_ACCOUNT.fullmatch(word) for word in words):
        raise _refused(cell, f"{cell} looks like a bucket of another cell, whose name holds its account")


def _refused(cell: str, why: str) -> UsageError:
    return UsageError(why, where=f"stack {cell}", mend="call it something else, such as prod-eu1")
