"""Which modules a program may import, at once or later: read from the sources, nothing is run."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Imports:
    """Of entry modules, in the checkout that `root` is."""

    root: Path
    ours: dict[str, Path] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)
    """Top-level names that are neither ours nor Python's."""

    def follow(self, entries: Sequence[str], *, but: Sequence[str] = ()) -> Imports:
        """Add `entries` and what they import, `but` for some modules or packages and what only those import."""
        waiting = list(entries)
        while waiting:
            name = waiting.pop()
            top = name.partition(".")[0]
            if name in self.ours or name in but or top in but:
                continue
            file = self._file(name)
            if file is None:
                if not (self.root / top).is_dir() and self._file(top) is None and top not in sys.stdlib_module_names:
                    self.others.add(top)
                continue
            self.ours[name] = file
            if "." in name:
                waiting.append(name.rpartition(".")[0])
            waiting += _imported(file)
        return self

    def _file(self, name: str) -> Path | None:
        path = self.root / name.replace(".", "/")
        return next((one for one in (path / "__init__.py", path.with_suffix(".py")) if one.is_file()), None)


def _imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{file}: relative imports are not followed"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
