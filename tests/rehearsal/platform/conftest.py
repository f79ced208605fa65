"""A platform with its two tenants, as the README's first command builds it, stopped in the end by its last one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.readme.commands import shell_blocks
from tests.rehearsal.freehold import Freehold
from tests.sandbox.command import processes_of
from tests.temporary_sandbox import temporary_home


@pytest.fixture(scope="package")
def built() -> Iterator[Freehold]:
    """`./freehold up` has run in an empty home. Tests leave the platform and the tenants acme and acme-eu as they are.

    Of this folder alone: what runs for it need not idle beside all other tests.
    """
    up, *_, stop = shell_blocks()
    assert (up, stop) == ("./freehold up\n", "./freehold sandbox stop\n")
    with temporary_home() as home:
        freehold = Freehold(home)
        freehold.by_shell(up)
        yield freehold
        freehold.by_shell(stop)
        assert processes_of(home) == []
