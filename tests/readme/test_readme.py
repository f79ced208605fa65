"""What the README says of its pages and of its test command; its other commands are run in tests/rehearsal/platform."""

from __future__ import annotations

import re

from sandbox.home import CHECKOUT
from tests.readme.commands import README, TEST_COMMAND


def test_the_test_command_is_what_ci_runs() -> None:
    assert TEST_COMMAND in README.read_text()
    assert TEST_COMMAND in (CHECKOUT / ".ci" / "run").read_text()


def test_every_linked_page_exists() -> None:
    pages = [README, *sorted((CHECKOUT / "docs").rglob("*.md"))]
    missing = [
        f"{page.relative_to(CHECKOUT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert missing == []
