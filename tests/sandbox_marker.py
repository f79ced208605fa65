"""pytest plugin: what the marker `sandbox` means to a run.

The tools are made before the first test, so that no test's time limit pays for them. With workers (`-n 2 --dist
loadfile --no-loadscope-reorder`) each has one sandbox for all the files that it is given; the files with the longest
tests come first, so that no worker is left alone with one at the end.
"""

from __future__ import annotations

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from errors import FreeholdError
from sandbox.toolchain import ensure

TOGETHER = ("tests/rehearsal/platform", "tests/conformance/kubernetes", "tests/stacks")
"""Folders whose files share what takes long to build, so that one worker has to run them all."""

EARLY = "tests/toolchain/test_launcher.py"
"""Long as a whole, though none of its tests is; it would be the last."""


class FilesTogether(LoadScopeScheduling):  # type: ignore[misc]
    """Gives a worker whole files, or a whole folder of TOGETHER."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        return next((folder for folder in TOGETHER if file.startswith(f"{folder}/")), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FilesTogether | None:
    """xdist's own choice for anything but `--dist loadfile`."""
    return FilesTogether(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first; tests with the same limit stay in their order, but for EARLY."""
    items.sort(key=lambda item: (_time_limit(item), item.nodeid.startswith(EARLY)), reverse=True)


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
