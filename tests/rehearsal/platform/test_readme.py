"""Every command that the README shows a new user, in its order, by a shell; the first and the last are `built`'s."""

from __future__ import annotations

import pytest

from tests.readme.commands import shell_blocks
from tests.rehearsal.freehold import Freehold

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(1500)]


def test_every_command_works(built: Freehold) -> None:
    between = shell_blocks()[1:-1]
    assert len(between) >= 4
    built.by_shell("\n".join(between))
