"""What tests of AWS types share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.aws.lifecycle import World
from tests.temporary_sandbox import Sandbox


@pytest.fixture
def world(sandbox: Sandbox) -> Iterator[World]:
    """The provider in the sandbox, and what a test makes there beside its subject."""
    made = World(sandbox.environment)
    yield made
    made.clean()
