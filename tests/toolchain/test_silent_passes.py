"""Tests that could not fail, because nothing awaits what they assert, are failures under this checkout's settings."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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

BODIES = {
    "a coroutine function": "async def test_it():\n    check(1)",
    "a coroutine that nobody awaits": "def test_it():\n    async def run():\n        check(1)\n    run()",
    "an output returned": "def test_it():\n    return pulumi.Output.from_input(1).apply(check)",
    "an output left behind": "def test_it():\n    pulumi.Output.from_input(1).apply(check)",
}


def run(folder: Path, body: str, value: int) -> subprocess.CompletedProcess[str]:
    (folder / "test_one.py").write_text(HEAD.replace("VALUE", str(value)) + body + "\n", encoding="utf-8")
    settings = ["-c", str(CHECKOUT / "pyproject.toml"), "--rootdir", str(folder), "-p", "no:cacheprovider"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *settings, str(folder)],
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("kind", BODIES)
def test_it_fails_although_nothing_was_checked(kind: str, tmp_path: Path) -> None:
    answer = run(tmp_path, BODIES[kind], value=1)
    assert answer.returncode == 1, answer.stdout
    assert "1 failed" in answer.stdout


@pytest.mark.parametrize(("value", "code"), [(1, 0), (2, 1)])
def test_a_decorated_test_passes_and_fails_by_its_assertion(value: int, code: int, tmp_path: Path) -> None:
    body = "@pulumi.runtime.test\ndef test_it():\n    return pulumi.Output.from_input(1).apply(check)"
    answer = run(tmp_path, body, value)
    assert answer.returncode == code, answer.stdout
    assert ("1 passed" if code == 0 else "assert 1 == 2") in answer.stdout
