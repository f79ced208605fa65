"""pytest plugin: a test that leaves Pulumi outputs unresolved fails.

`output.apply(check)` in a test that lacks `@pulumi.runtime.test` never runs `check`: without this such a test passes
whatever it asserts. (pytest itself fails tests that are coroutine functions or return an output, and, with
`filterwarnings = error`, coroutines that nobody awaited.)
"""

from __future__ import annotations

import sys
from collections.abc import Generator

import pytest


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Fail `pyfuncitem` if outputs that it made are still waiting when it returns."""
    before = _waiting()
    result = yield
    left = _waiting() - before
    if left:
        pytest.fail(
            f"{pyfuncitem.name} left {len(left)} Pulumi outputs unresolved, so what it applies to them never ran; "
            "decorate it with @pulumi.runtime.test and return the output",
            pytrace=False,
        )
    return result


def _waiting() -> set[object]:
    if "pulumi.runtime.settings" not in sys.modules:
        return set()  # without Pulumi there are no outputs, and importing it takes half a second
    from pulumi.runtime.settings import SETTINGS

    return {output for output in SETTINGS.outputs if not output.done()}
