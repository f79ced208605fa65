"""A platform with its two tenants, built once by `freehold up` in the tests' sandbox."""

from __future__ import annotations

import pytest

from tests.rehearsal.freehold import Freehold
from tests.temporary_sandbox import Sandbox


@pytest.fixture(scope="session")
def built(sandbox: Sandbox) -> Freehold:
    """`freehold up` has run. Tests leave the platform and the tenants acme and acme-eu as they are."""
    freehold = Freehold(sandbox.home)
    freehold.ok("up")
    return freehold
