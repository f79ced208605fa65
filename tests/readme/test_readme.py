"""Every command that the README shows a new user is run here, in its order, in a sandbox of its own."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from sandbox.home import CHECKOUT

README = CHECKOUT / "README.md"
_TEST_COMMAND = "./freehold test"


def shell_blocks(text: str) -> list[str]:
    """The text of each fenced `sh` block, in order."""
    return re.findall(r"^```sh\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)


def test_the_test_command_is_what_ci_runs() -> None:
    assert _TEST_COMMAND in README.read_text()
    assert _TEST_COMMAND in (CHECKOUT / ".ci" / "run").read_text()


def test_every_linked_page_exists() -> None:
    pages = [README, *sorted((CHECKOUT / "docs").rglob("*.md"))]
    missing = [
        f"{page.relative_to(CHECKOUT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert missing == []


@pytest.mark.sandbox
@pytest.mark.timeout(1200)
def test_every_command_of_the_readme_works(tmp_path: Path) -> None:
    blocks = [block for block in shell_blocks(README.read_text()) if block.strip() != _TEST_COMMAND]
    assert len(blocks) >= 4
    script = "set -euo pipefail\n" + "\n".join(blocks)
    environment = {**os.environ, "FREEHOLD_HOME": str(tmp_path / "home"), "PULUMI_SKIP_CONFIRMATIONS": "true"}
    try:
        run = subprocess.run(
            ["bash", "-x", "-c", script],
            cwd=CHECKOUT,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=1100,
        )
        assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-4000:]
    finally:
        subprocess.run(
            ["./freehold", "sandbox", "reset", "--yes"], cwd=CHECKOUT, env=environment, check=False, capture_output=True
        )
