"""What tests of the engine's runs share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rehearsal.engine import sdks
from tests.rehearsal.trivial import Trivial


@pytest.fixture
def trivial(tmp_path: Path) -> Trivial:
    """A stack of the test's own."""
    return Trivial(tmp_path, sdks())
