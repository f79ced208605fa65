"""A service never runs Pulumi, and does not carry it around."""

from __future__ import annotations

import subprocess
import sys

from sandbox.home import CHECKOUT


def test_the_notifier_imports_no_pulumi() -> None:
    program = (
        "import sys, services.notifier.__main__; print([name for name in sys.modules if name.startswith('pulumi')])"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
