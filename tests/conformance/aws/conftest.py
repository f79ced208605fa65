"""What tests of AWS types share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from tests.conformance.aws.lifecycle import World
from tests.temporary_sandbox import Sandbox


@pytest.fixture(scope="package")
def endpoint_environment(sandbox: Sandbox) -> Mapping[str, str]:
    """The endpoint and the credentials, which stay the same."""
    return sandbox.environment


@pytest.fixture
def world(endpoint_environment: Mapping[str, str]) -> Iterator[World]:
    """The provider in the sandbox, and what a test makes there beside its subject."""
    made = World(endpoint_environment)
    yield made
    made.clean()
