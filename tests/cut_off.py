"""A create whose provider host is killed in the middle of it, and the same create when it is sent again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sandbox.home import Home
from sandbox.providers.creations import Creations, current

_NOBODY = 2**22 + 1
"""A process that cannot live: its number is above the kernel's highest."""


class Killed(BaseException):
    """What ends a create as a SIGKILL does: nothing catches it."""


@contextmanager
def cut_off(home: Home, urn: str) -> Iterator[None]:
    """The body is a create that is cut off at its end, or where it raises Killed: the journal stays as it is then."""
    with Creations(home) as journal:
        with journal.attempt(urn):
            creation = current()
            assert creation is not None
            with suppress(Killed):
                yield
        row = (urn, _NOBODY, 1, creation.serial)
        journal._database.execute("INSERT INTO under_way (urn, host, started, serial) VALUES (?, ?, ?, ?)", row)


@contextmanager
def sent_again(home: Home, urn: str) -> Iterator[None]:
    """The body is the next create of that resource."""
    with Creations(home) as journal, journal.attempt(urn):
        yield
