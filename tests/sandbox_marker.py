"""pytest plugin: what the marker `sandbox` means to a run.

The tools are made before the first test, so that no test's time limit pays for them; and `-n 2 --dist loadgroup` runs
all these tests in one worker, so that there is one sandbox.
"""

from __future__ import annotations

import pytest

from errors import FreeholdError
from sandbox.toolchain import ensure


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that share a sandbox into one group."""
    for item in items:
        if _needs_sandbox(item):
            item.add_marker(pytest.mark.xdist_group("sandbox"))


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
