"""What tests of the platform's program share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stacks import billing_archive


@pytest.fixture(scope="module")
def no_archive() -> Iterator[None]:
    """Some file stands for the webhook's archive: to build one takes pip."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(billing_archive, "archive", lambda settings: Path(__file__))
        yield
