"""pytest plugin: what the marker `sandbox` means to a run.

The tools are made before the first test, so that no test's time limit pays for them. With `-n 2 --dist loadgroup
--no-loadscope-reorder` each file's tests stay in one worker, which has one sandbox for all that it is given, and those
that share the built platform stay together.
"""

from __future__ import annotations

import pytest

from errors import FreeholdError
from sandbox.toolchain import ensure


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group the tests that share a sandbox; the longest first, so that no worker is left alone with one at the end."""
    for item in items:
        if _needs_sandbox(item):
            item.add_marker(pytest.mark.xdist_group(_group(item)))
    items.sort(key=_time_limit, reverse=True)  # stable: tests with the same limit stay in their order


def _group(item: pytest.Item) -> str:
    shares_platform = isinstance(item, pytest.Function) and "built" in item.fixturenames
    return "platform" if shares_platform else item.path.name


def _time_limit(item: pytest.Item) -> float:
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0]) if marker else 0.0


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Make the tools, in sight of the user, if a test that was selected needs a sandbox."""
    if session.config.option.collectonly or not any(map(_needs_sandbox, session.items)):
        return
    capture = session.config.pluginmanager.getplugin("capturemanager")
    try:
        with capture.global_and_fixture_disabled():
            ensure()
    except FreeholdError as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.TESTS_FAILED)


def _needs_sandbox(item: pytest.Item) -> bool:
    return item.get_closest_marker("sandbox") is not None
