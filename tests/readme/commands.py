"""The commands that the README shows a new user."""

from __future__ import annotations

import re

from sandbox.home import CHECKOUT

README = CHECKOUT / "README.md"
TEST_COMMAND = "./freehold test"


def shell_blocks() -> list[str]:
    """The text of each fenced `sh` block, in order, without the one that is the command of all tests."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", README.read_text(), flags=re.DOTALL | re.MULTILINE)
    return [block for block in blocks if block.strip() != TEST_COMMAND]
