"""What tests of the platform's program share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pulumi.runtime import resource

from stacks import billing_archive


@pytest.fixture(scope="module")
def no_archive() -> Iterator[None]:
    """Some file stands for the webhook's archive: to build one takes pip."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(billing_archive, "archive", lambda settings: Path(__file__))
        yield


@pytest.fixture
def sdk_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `stack_traces.shorten` replaces is put back at the end."""
    for name in ("_get_stack_trace", "_get_source_position"):
        monkeypatch.setattr(resource, name, getattr(resource, name))
