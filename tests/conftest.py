"""What all tests share: one sandbox of their own, apart from the one that the user may be running."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.home import Home
from tests.temporary_sandbox import Sandbox, temporary_home, temporary_sandbox


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """Started by the first test that asks for it, stopped and deleted after the last."""
    with temporary_sandbox() as running:
        yield running


@pytest.fixture
def fresh_home() -> Iterator[Home]:
    """A FREEHOLD_HOME where nothing has run; whatever a test starts in it is ended."""
    with temporary_home() as home:
        yield home
