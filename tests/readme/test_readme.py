"""What the README says of its pages and of its test command; its other commands are run in tests/rehearsal/platform."""

from __future__ import annotations

import re
from pathlib import Path

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


def test_every_linked_heading_exists() -> None:
    pages = [README, CHECKOUT / "CHANGELOG.md", *sorted((CHECKOUT / "docs").rglob("*.md"))]
    links = [
        (page, page.parent / target if target else page, anchor)
        for page in pages
        for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]*)\)", page.read_text())
    ]
    assert len(links) > 50
    missing = [
        f"{page.relative_to(CHECKOUT)}: {target.name}#{anchor}"
        for page, target, anchor in links
        if anchor not in anchors(target)
    ]
    assert missing == []


def anchors(page: Path) -> set[str]:
    """The headings of a page, as GitHub spells them in addresses."""
    prose = re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", prose, flags=re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", one) for one in headings)
    return {re.sub(r"[^\w\- ]", "", one.strip().lower()).replace(" ", "-") for one in plain}
