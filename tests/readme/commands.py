"""The commands that the README shows a new user, and those of the other pages."""

from __future__ import annotations

import re
from pathlib import Path

from sandbox.home import CHECKOUT

README = CHECKOUT / "README.md"
TEST_COMMAND = "./freehold test"


def shell_blocks() -> list[str]:
    """The text of each fenced `sh` block, in order, without the one that is the command of all tests."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", README.read_text(), flags=re.DOTALL | re.MULTILINE)
    return [block for block in blocks if block.strip() != TEST_COMMAND]


def commands_on(page: Path) -> list[str]:
    """What stands behind each `./freehold ` of a page, to the end of its line or of its code."""
    return re.findall(r"\./freehold ((?:(?!\./freehold )[^`\n])*)", page.read_text())
