"""Programs alone import the SDK of Pulumi: services never run it, the command and the runner start it as a process."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sandbox.home import CHECKOUT


@pytest.mark.parametrize(
    "modules",
    [
        "services.notifier.__main__",
        "services.billing.__main__, services.billing.lambda_entry",
        "fleet.runner.__main__, fleet.runner.work",
        "cli.cell, cli.up, cli.summary, cli.alerts",
    ],
)
def test_it_imports_no_pulumi(modules: str) -> None:
    program = f"import sys, {modules}; print([name for name in sys.modules if name.split('.')[0] == 'pulumi'])"
    run = subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
