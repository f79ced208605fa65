"""Tests that could not fail, because nothing awaits what they assert, are failures under this checkout's settings."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from sandbox.home import CHECKOUT

HEAD = """
import pulumi

class Cloud(pulumi.runtime.Mocks):
    def new_resource(self, args):
        return [args.name, dict(args.inputs)]
    def call(self, args):
        return {}

pulumi.runtime.set_mocks(Cloud())

def check(value):
    assert value == VALUE
"""

UNCHECKED = {
    "coroutine_function": "async def test_it():\n    check(1)",
    "coroutine_that_nobody_awaits": "def test_it():\n    async def run():\n        check(1)\n    run()",
    "output_returned": "def test_it():\n    return pulumi.Output.from_input(1).apply(check)",
    "output_left_behind": "def test_it():\n    pulumi.Output.from_input(1).apply(check)",
}
DECORATED = "@pulumi.runtime.test\ndef test_it():\n    return pulumi.Output.from_input(1).apply(check)"


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What one run of them all says. Each is a file of its own."""
    folder = tmp_path_factory.mktemp("tests")
    bodies = {
        **{f"test_{number}_{kind}": (body, 1) for number, (kind, body) in enumerate(UNCHECKED.items())},
        "test_right": (DECORATED, 1),
        "test_wrong": (DECORATED, 2),
    }
    for name, (body, value) in bodies.items():
        text = HEAD.replace("VALUE", str(value)) + body + "\n"
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    settings = ["-c", str(CHECKOUT / "pyproject.toml"), "--rootdir", str(folder), "-p", "no:cacheprovider"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", *settings, str(folder)],
        # Wide enough for a line to hold a file's path and what it says.
        env={**{name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}, "COLUMNS": "400"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 1, run.stdout
    return run.stdout


@pytest.mark.parametrize("kind", UNCHECKED)
def test_it_fails_although_nothing_was_checked(kind: str, answer: str) -> None:
    assert re.search(rf"^FAILED \S*test_\d_{kind}\.py::test_it", answer, re.MULTILINE), answer


def test_a_decorated_test_passes_and_fails_by_its_assertion(answer: str) -> None:
    assert re.search(r"^PASSED \S*test_right\.py::test_it", answer, re.MULTILINE), answer
    assert re.search(r"^FAILED \S*test_wrong\.py::test_it .*assert 1 == 2", answer, re.MULTILINE), answer
