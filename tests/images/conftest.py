"""A checkout to build from, and images laid out from it: what a target copies, with the packages of its lock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.images import containerfile, locks


@dataclass(frozen=True)
class Image:
    """A target in a folder. `home` is its working directory, `root` stands for `/`."""

    target: str
    root: Path
    home: Path
    binaries: Path
    """`bin` of its virtual environment, which holds nothing but the packages of its lock."""

    @property
    def command(self) -> list[str]:
        return containerfile.stages()[self.target].entry_point()


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return containerfile.checkout(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="session")
def image(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Image]:
    """The image of a target, laid out once."""
    made: dict[str, Image] = {}

    def lay_out(target: str) -> Image:
        if target not in made:
            made[target] = laid_out(target, checkout, tmp_path_factory.mktemp(target))
        return made[target]

    return lay_out


def laid_out(target: str, checkout: Path, root: Path) -> Image:
    home = containerfile.lay_out(target, checkout, root)
    return Image(target, root, home, locks.environment(target, home / ".venv"))
