"""A tool that builds in a second, for tests of how tools are made: a Go program that prints its version.

Run as a program (`python -m tests.toolchain.tiny MODULES`) it makes the tool and prints where it lies.
"""

from __future__ import annotations

import sys
from pathlib import Path

from sandbox.toolchain import ensure
from sandbox.toolchain.tools import TOOLS, GoBinary, Tool

MAIN = 'package main\n\nvar version = "0.0.0"\n\nfunc main() {\n\tprint("tiny ", version, "\\n")\n}\n'


def write(modules: Path, main: str = MAIN) -> Path:
    """Write the module of the tool below `modules`; return `modules`."""
    folder = modules / "tiny"
    folder.mkdir(parents=True)
    (folder / "go.mod").write_text("module freehold.dev/tiny\n\ngo 1.25\n", encoding="utf-8")
    (folder / "go.sum").write_text("", encoding="utf-8")
    (folder / "main.go").write_text(main, encoding="utf-8")
    return modules


def tool(modules: Path) -> Tool:
    """The row that the table would have for it."""
    return Tool("tiny", GoBinary("tiny", "freehold.dev/tiny", (("main.version", "1.2.3"),), modules), "1.2.3")


if __name__ == "__main__":
    TOOLS["tiny"] = tool(Path(sys.argv[1]))
    print(ensure(["tiny"])["tiny"])
